#include "platform/orphans.h"

namespace gptoss {

// The system has no such thing: orphans go to launchd, and nobody can tell whose they were.
bool AdoptOrphans() { return false; }
bool AdoptsOrphans() { return false; }
void EndOrphans(const std::string&, const std::function<bool(pid_t)>&) {}

}  // namespace gptoss
