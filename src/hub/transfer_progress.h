// What the files of one FetchBlobs add up to. Private to the transfer.
#pragma once

#include "hub/transfer_state.h"

namespace gptoss::hub {

// All but what only time tells: total, speed, time left, notice. With the lock held.
TransferProgress AddUp(const TransferState& state);

}  // namespace gptoss::hub
