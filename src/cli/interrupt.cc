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
std::atomic<int> last_signal{0};  // for the exit code
std::atomic<int> untaken{0};      // the signal that nobody has dealt with
std::atomic<int> wake_end{-1};
std::atomic<int> read_end{-1};
struct sigaction old_interrupt, old_terminate;

void OnSignal(int signal_number) {
  const int saved_errno = errno;
  if (signal_number == SIGTERM) terminate_seen.store(true);
  last_signal.store(signal_number);
  untaken.store(signal_number);  // before the look at the turn: BeginTurn looks the other way round
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

bool DrainPipe() {
  char bytes[64];
  bool any = false;
  while (::read(read_end.load(), bytes, sizeof bytes) > 0) any = true;
  return any;
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
  last_signal.store(0);
  untaken.store(0);
  struct sigaction action{};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: a waiting read comes back with EINTR
  ::sigaction(SIGINT, &action, &old_interrupt);
  ::sigaction(SIGTERM, &action, &old_terminate);
}

InterruptHandler::~InterruptHandler() {
  const CancelSource* turn = running_turn.exchange(nullptr);
  const bool taken = turn != nullptr && turn->cancelled();
  ::sigaction(SIGINT, &old_interrupt, nullptr);
  ::sigaction(SIGTERM, &old_terminate, nullptr);
  for (std::atomic<int>* end : {&read_end, &wake_end}) {
    const int descriptor = end->exchange(-1);
    if (descriptor >= 0) ::close(descriptor);
  }
  // One that cancelled the turn stays pending: the command says why it ends, and waits for nobody to read it.
  if (const int signal_number = untaken.load(); signal_number != 0 && !taken) ::raise(signal_number);
}

void InterruptHandler::BeginTurn(const CancelSource& source) {
  running_turn.store(&source);
  if (untaken.load() == 0) return;
  source.Cancel();
  DrainPipe();
}

void InterruptHandler::EndTurn() {
  const CancelSource* turn = running_turn.exchange(nullptr);
  if (turn != nullptr && turn->cancelled()) untaken.store(0);
}

int InterruptHandler::wake_descriptor() const { return read_end.load(); }
bool InterruptHandler::terminated() const { return terminate_seen.load(); }

bool InterruptHandler::TakeInterrupt() {
  untaken.store(0);
  return DrainPipe();
}

bool SignalPending() { return untaken.load() != 0; }

int SignalExitCode() {
  const int signal_number = last_signal.load();
  return signal_number == 0 ? 0 : 128 + signal_number;
}

int ExitCodeOf(const Error& error) {
  const int by_signal = SignalExitCode();
  return error.code == ErrorCode::kCancelled && by_signal != 0 ? by_signal : ExitCode(error.code);
}

}  // namespace gptoss::cli
