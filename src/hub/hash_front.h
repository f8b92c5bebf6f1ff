// The hash of a file follows its bytes in order, wherever they arrive. Private to the transfer.
#pragma once

#include "hub/transfer_state.h"

namespace gptoss::hub {

// With the lock held: a file that has bytes to hash or is ready to be finished; nullptr if none.
FileTask* NextToHash(TransferState& state);
// Without the lock, `file.hashing` set by the caller: hashes some megabytes further; at the end compares and
// publishes, or begins the second copy, or fails the transfer.
void HashFurther(TransferState& state, FileTask& file);

}  // namespace gptoss::hub
