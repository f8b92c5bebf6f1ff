// From the connections to the disk: what has come is written by the workers, so that a slow write or a busy
// hash holds up no connection; what they cannot keep up with is written by whoever brings more. Private to
// the transfer.
#pragma once

#include <mutex>

#include "base/error.h"
#include "hub/recent_bytes.h"
#include "hub/transfer_state.h"

namespace gptoss::hub {

// Without the lock. Takes the block; it is written and in the journal once Drain() returns, perhaps before.
void HandOver(TransferState& state, Flight& flight, BlockPointer block);

// The oldest block whose file nobody writes to just now: two would only wait for each other in the kernel.
// `lock` holds the state's mutex, and not while it is written. False: there is none.
bool WriteNext(TransferState& state, std::unique_lock<std::mutex>& lock);

// Without the lock. All that was handed over for this flight is written; the first error there was.
Status Drain(TransferState& state, Flight& flight);

}  // namespace gptoss::hub
