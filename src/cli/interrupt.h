// Ctrl-C as a value: a signal handler that cancels the running turn and wakes whoever waits for input.
#pragma once

#include "base/cancel.h"

namespace gptoss::cli {

// While one of these lives, SIGINT (and SIGTERM) no longer ends the program. At most one at a time; made and
// destroyed on the main thread.
class InterruptHandler {
 public:
  InterruptHandler();
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

  // From here until EndTurn a signal cancels `source`. A second one during the same turn leaves the program
  // at once with exit code 130: nobody has to wait for a turn that does not listen.
  void BeginTurn(const CancelSource& source);
  void EndTurn();

  // Readable when a signal came outside a turn.
  int wake_descriptor() const;
  // Takes back what made it readable; true if there was something. `terminated`: it was SIGTERM.
  bool TakeInterrupt();
  bool terminated() const;
};

}  // namespace gptoss::cli
