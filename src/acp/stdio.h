// The program's own stdin and stdout as a protocol's two ends.
#pragma once

#include "base/error.h"

namespace gptoss::acp {

// Takes descriptors 0 and 1 away: the originals move to private ones that no child inherits, 0 becomes
// /dev/null and 1 becomes stderr. Whatever a library prints from now on cannot get into the protocol.
// Once, at the start, on the main thread.
struct PrivateStdio {
  int input = -1, output = -1;
};
Result<PrivateStdio> TakeStdio();

}  // namespace gptoss::acp
