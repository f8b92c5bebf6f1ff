// Ctrl-C as a value: a signal handler that cancels the running turn and wakes whoever waits for input.
#pragma once

#include "base/cancel.h"
#include "base/error.h"

namespace gptoss::cli {

// While one of these lives, SIGINT (and SIGTERM) no longer ends the program by itself. No signal is lost: it
// cancels the turn, or the next one, or wakes the reader; one that nobody took ends the program when this is
// destroyed. At most one at a time; made and destroyed on the main thread.
class InterruptHandler {
 public:
  InterruptHandler();
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

  // From here until EndTurn (or the end of this object) a signal cancels `source`, as does one that came
  // before and was not taken. A second one during the same turn leaves the program at once, with the exit
  // code of the signal: nobody has to wait for a turn that does not listen.
  void BeginTurn(const CancelSource& source);
  void EndTurn();

  // Readable when a signal came outside a turn.
  int wake_descriptor() const;
  // Takes back what made it readable; true if there was something. `terminated`: it was SIGTERM.
  bool TakeInterrupt();
  bool terminated() const;
};

// A signal has come that the running turn, or the reader, has not dealt with yet, or that ended the command:
// whoever waits for somebody outside (a full pipe) gives up. Any thread.
bool SignalPending();
// 128 and the number of the last signal; 0: none came while there was a handler.
int SignalExitCode();
// The exit code of a command that ends with this error: of the signal where that cancelled it, else as
// base/error.h has it.
int ExitCodeOf(const Error& error);

}  // namespace gptoss::cli
