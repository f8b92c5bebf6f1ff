#include "cli/suspend.h"

#include <signal.h>

#include <atomic>

namespace gptoss::cli {
namespace {

std::atomic<bool> requested{false};
struct sigaction old_action;

void OnStop(int /*signal_number*/) { requested.store(true); }

}  // namespace

SuspendHandler::SuspendHandler() {
  requested.store(false);
  struct sigaction action{};
  action.sa_handler = OnStop;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  // A shell that has no job control ignores the signal for its children: let it stay so.
  ::sigaction(SIGTSTP, nullptr, &old_action);
  if (old_action.sa_handler != SIG_IGN) ::sigaction(SIGTSTP, &action, nullptr);
}

SuspendHandler::~SuspendHandler() { ::sigaction(SIGTSTP, &old_action, nullptr); }

bool SuspendHandler::TakeRequest() { return requested.exchange(false); }

void SuspendHandler::Stop() {
  // The rest of a pipeline got its own SIGTSTP from the terminal. Sent to this thread, not to the process:
  // else another thread may take it, and this one goes on drawing for a moment.
  ::raise(SIGSTOP);
}

}  // namespace gptoss::cli
