#include "cli/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/utf8.h"
#include "cli/interrupt.h"

namespace gptoss::cli {

namespace {

constexpr int kLookAtSignals = 50;  // ms, while a reader takes nothing

bool WantsStyle() {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

}  // namespace

Output::Output(int descriptor) : descriptor_(descriptor) {
  terminal_ = descriptor >= 0 && ::isatty(descriptor) == 1;
  styled_ = terminal_ && WantsStyle();
  struct stat info{};
  may_block_ = terminal_ || (::fstat(descriptor, &info) == 0 && !S_ISREG(info.st_mode));
}

// True: PIPE_BUF bytes can be written without waiting, or the write will say what is wrong.
bool Output::WaitForRoom() {
  pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  for (;;) {
    const int found = ::poll(&ready, 1, kLookAtSignals);
    if (found > 0 || (found < 0 && errno != EINTR)) return true;
    if (found == 0 && SignalPending()) {
      given_up_ = true;
      return false;
    }
  }
}

bool Output::Write(std::string_view bytes) {
  while (!bytes.empty() && ok()) {
    if (may_block_ && !WaitForRoom()) break;
    const std::size_t piece = may_block_ ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size();
    const ssize_t written = ::write(descriptor_, bytes.data(), piece);
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // Somebody made the shared descriptor non-blocking, and it is full again.
      may_block_ = true;
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR) {
      failure_ = errno;
    }
  }
  return ok();
}

Status Output::status() const {
  if (failure_ == 0) return {};
  return Fail(ErrorCode::kResourceExhausted,
              fmt::format("cannot write the output: {}", std::strerror(failure_)));
}

Output& StandardOutput() {
  static Output output(STDOUT_FILENO);
  return output;
}

Output& StandardError() {
  static Output output(STDERR_FILENO);
  return output;
}

std::string WithoutControls(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const Utf8Step step = NextUtf8(text);
    const char32_t c = step.code_point;
    const bool control = (c < 0x20 && c != U'\n' && c != U'\t') || (c >= 0x7F && c < 0xA0);
    if (!control) clean.append(text.substr(0, step.length));
    text.remove_prefix(step.length);
  }
  return clean;
}

std::string Dimmed(std::string_view text, const Output& output) {
  if (!output.styled() || text.empty()) return std::string(text);
  return fmt::format("\x1b[2m{}\x1b[22m", text);
}

void Complain(std::string_view sentence) {
  // What a file or a server named may stand in it: it stays one line.
  std::string line = WithoutControls(ReplaceInvalidUtf8(sentence));
  std::ranges::replace(line, '\n', ' ');
  StandardError().Write(fmt::format("gptoss: error: {}\n", line));
}

void Remark(std::string_view sentence) {
  Output& output = StandardError();
  const std::string text = WithoutControls(ReplaceInvalidUtf8(sentence));
  output.Write(Dimmed(fmt::format("gptoss: {}", text), output) + "\n");
}

void ReserveStandardDescriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is the one that is closed: those below it have just been looked at.
    const int opened = ::open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY);
    if (opened >= 0 && opened != descriptor) ::close(opened);
  }
}

}  // namespace gptoss::cli
