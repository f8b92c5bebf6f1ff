#include "cli/suspend.h"

#include <pthread.h>

namespace gptoss::cli {
namespace {

sigset_t StopSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTSTP);
  return signals;
}

}  // namespace

SuspendHandler::SuspendHandler() {
  // A shell that has no job control ignores the signal for its children: let it stay so.
  struct sigaction action{};
  ::sigaction(SIGTSTP, nullptr, &action);
  if (action.sa_handler == SIG_IGN) return;
  active_ = true;
  const sigset_t stop = StopSignal();
  ::pthread_sigmask(SIG_BLOCK, &stop, &before_);
}

SuspendHandler::~SuspendHandler() {
  if (active_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool SuspendHandler::Requested() const {
  sigset_t waiting;
  return active_ && ::sigpending(&waiting) == 0 && sigismember(&waiting, SIGTSTP) == 1;
}

void SuspendHandler::Stop() {
  if (!active_) return;
  const sigset_t stop = StopSignal();
  ::pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);  // here the process stands still
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
}

}  // namespace gptoss::cli
