// Programs that we start: each in a process group of its own, which goes as a whole (see orphans.h for what
// leaves it).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace gptoss {

struct ChildOptions {
  std::vector<std::string> argv;  // argv[0] is looked for in PATH where it has no slash; no shell reads it
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours, or in place of ours
  std::string folder;                                            // where it runs; "": here
  enum class Input : std::uint8_t { kNull, kPipe };
  enum class Errors : std::uint8_t { kNull, kPipe, kWithOutput, kInherit };
  Input input = Input::kNull;
  Errors errors = Errors::kWithOutput;
};

struct ChildExit {
  std::optional<int> code;    // it ended by itself
  std::optional<int> signal;  // it was ended
};

// One program. One thread at a time, but Kill and KillGroup may be called from any thread while it lives.
class ChildProcess {
 public:
  // Errors: kNotFound (no such program or folder), kPermissionDenied, kResourceExhausted, kInvalidArgument.
  static Result<std::unique_ptr<ChildProcess>> Start(const ChildOptions& options);
  ~ChildProcess();  // KillGroup, and reaps
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Our ends of the pipes, closed with this object; -1: there is none.
  int input() const { return input_; }
  int output() const { return output_; }
  int errors() const { return errors_; }
  void CloseInput();
  pid_t pid() const { return pid_; }

  // nullopt: it still runs after so long. Whatever it left behind in its group is killed when it has ended.
  std::optional<ChildExit> WaitFor(std::chrono::milliseconds patience);
  // A signal to the whole group, if the program has not been waited for yet.
  void SignalGroup(int signal);
  // SIGKILL to the group, and waits for the program: nothing of the group runs when this returns, nor, where
  // orphans are adopted, what left the group with the environment that it was given.
  ChildExit KillGroup();

 private:
  ChildProcess() = default;
  ChildExit Reap();
  pid_t pid_ = -1;
  std::string mark_;  // in its environment, to know its orphans by; "": none
  int input_ = -1, output_ = -1, errors_ = -1;
  std::optional<ChildExit> exit_;
};

// For a program that must leave now: SIGKILL to the groups of all children that live, and to adopted orphans.
void KillAllChildren();
// At a program's end, when no ChildProcess is left: SIGKILL to every orphan that was adopted.
void KillOrphans();

}  // namespace gptoss
