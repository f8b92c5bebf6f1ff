// One request for bytes of a file, from finding out where it is to the bytes on the disk. Private to the
// transfer.
#pragma once

#include "hub/transfer_state.h"

namespace gptoss::hub {

// Runs on a worker, without the lock. Ends when the flight's range is there, at a failure (noted in the file,
// which decides when to try again) or when the flight is stopped. The flight is out of its file's list then.
void RunFlight(TransferState& state, Flight& flight);

}  // namespace gptoss::hub
