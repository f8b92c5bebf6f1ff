// Ctrl-Z as a value: whoever works with the network finishes what must be finished before the process stops.
#pragma once

namespace gptoss::cli {

// While one of these lives, SIGTSTP does not stop the process at once. At most one at a time.
class SuspendHandler {
 public:
  SuspendHandler();
  ~SuspendHandler();
  SuspendHandler(const SuspendHandler&) = delete;
  SuspendHandler& operator=(const SuspendHandler&) = delete;

  // True once after each SIGTSTP.
  bool TakeRequest();
  // Stops the process now, as the signal would have; returns when it is continued.
  void Stop();
};

}  // namespace gptoss::cli
