// Ctrl-Z as a value: whoever works with the network finishes what must be finished before the process stops.
#pragma once

#include <signal.h>

namespace gptoss::cli {

// While one of these lives, SIGTSTP waits instead of stopping the process. Who is continued before he has
// stopped has not to stop any more: the system takes a waiting SIGTSTP back then, which a handler that notes
// it down could not know in time. At most one at a time; made and destroyed on the same thread, before the
// threads that work are made and after they have ended.
class SuspendHandler {
 public:
  SuspendHandler();
  ~SuspendHandler();
  SuspendHandler(const SuspendHandler&) = delete;
  SuspendHandler& operator=(const SuspendHandler&) = delete;

  // A SIGTSTP waits. Any thread made since.
  bool Requested() const;
  // Lets it stop the process now; returns when that is continued, or at once if none waits. Any thread made
  // since.
  void Stop();

 private:
  bool active_ = false;
  sigset_t before_{};
};

}  // namespace gptoss::cli
