// Descendants that left their process group and whose parents have ended. Of this room only, but for
// AdoptOrphans.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace gptoss {

// From now on such descendants become children of this process, for as long as it lives, and ChildProcess
// ends those of each program with it. For a program's main, once, before its first child; never for a
// library: from then on every child of the process must be a ChildProcess. False: the system cannot (macOS);
// what leaves its group there outlives us.
bool AdoptOrphans();
bool AdoptsOrphans();

// In the environment of each child that is started while orphans are adopted, with a value of its own.
inline constexpr const char* kOrphanMark = "GPTOSS_STARTED_AS";

// SIGKILL to adopted orphans, and to what they leave behind in turn, until none is left or 0.2 s are over;
// those that have ended are reaped. `mark`: only those that carry this value; "": all, whoever started them.
// `is_child`: of a pid that is nobody's orphan. Any thread; no child may be started meanwhile.
void EndOrphans(const std::string& mark, const std::function<bool(pid_t)>& is_child);

}  // namespace gptoss
