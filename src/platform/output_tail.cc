#include "platform/output_tail.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/utf8.h"

namespace gptoss {

OutputTail::OutputTail(int descriptor, std::size_t kept_bytes)
    : descriptor_(descriptor), kept_bytes_(kept_bytes), thread_([this] { Read(); }) {}

OutputTail::~OutputTail() {
  stop_ = true;
  thread_.join();
}

void OutputTail::Read() {
  char buffer[4096];
  while (!stop_) {
    pollfd wanted{.fd = descriptor_, .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, 50) <= 0) continue;
    const ssize_t got = ::read(descriptor_, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    std::lock_guard lock(mutex_);
    text_.append(buffer, static_cast<std::size_t>(got));
    if (text_.size() > kept_bytes_) text_.erase(0, text_.size() - kept_bytes_);
  }
}

std::string OutputTail::LastLine() const {
  std::lock_guard lock(mutex_);
  const std::size_t end = text_.find_last_not_of("\r\n \t");
  if (end == std::string::npos) return "";
  const std::string_view text = std::string_view(text_).substr(0, end + 1);
  const std::size_t line = text.rfind('\n');
  return ReplaceInvalidUtf8(line == std::string_view::npos ? text : text.substr(line + 1));
}

}  // namespace gptoss
