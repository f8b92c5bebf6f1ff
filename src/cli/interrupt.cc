#include "cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace gptoss::cli {

namespace {

// A handler can only reach globals. All of them are lock-free.
std::atomic<const CancelSource*> running_turn{nullptr};
std::atomic<bool> terminate_seen{false};
std::atomic<int> wake_end{-1};
std::atomic<int> read_end{-1};
struct sigaction old_interrupt, old_terminate;

void OnSignal(int signal_number) {
  const int saved_errno = errno;
  if (signal_number == SIGTERM) terminate_seen.store(true);
  const CancelSource* turn = running_turn.load();
  if (turn != nullptr) {
    if (turn->cancelled()) ::_exit(128 + signal_number);
    turn->Cancel();
  } else {
    const char byte = 1;
    // A full pipe already says all there is to say.
    [[maybe_unused]] const ssize_t written = ::write(wake_end.load(), &byte, 1);
  }
  errno = saved_errno;
}

}  // namespace

InterruptHandler::InterruptHandler() {
  int ends[2] = {-1, -1};
  if (::pipe(ends) == 0) {
    for (const int end : ends) {
      ::fcntl(end, F_SETFD, FD_CLOEXEC);
      ::fcntl(end, F_SETFL, O_NONBLOCK);
    }
  }
  read_end.store(ends[0]);
  wake_end.store(ends[1]);
  terminate_seen.store(false);
  struct sigaction action{};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: a waiting read comes back with EINTR
  ::sigaction(SIGINT, &action, &old_interrupt);
  ::sigaction(SIGTERM, &action, &old_terminate);
}

InterruptHandler::~InterruptHandler() {
  ::sigaction(SIGINT, &old_interrupt, nullptr);
  ::sigaction(SIGTERM, &old_terminate, nullptr);
  for (std::atomic<int>* end : {&read_end, &wake_end}) {
    const int descriptor = end->exchange(-1);
    if (descriptor >= 0) ::close(descriptor);
  }
}

void InterruptHandler::BeginTurn(const CancelSource& source) { running_turn.store(&source); }
void InterruptHandler::EndTurn() { running_turn.store(nullptr); }
int InterruptHandler::wake_descriptor() const { return read_end.load(); }
bool InterruptHandler::terminated() const { return terminate_seen.load(); }

bool InterruptHandler::TakeInterrupt() {
  char bytes[64];
  bool any = false;
  while (::read(read_end.load(), bytes, sizeof bytes) > 0) any = true;
  return any;
}

}  // namespace gptoss::cli
