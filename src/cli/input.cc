#include "cli/input.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/utf8.h"

namespace gptoss::cli {
namespace {

std::unexpected<Error> CannotRead(int error) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("cannot read stdin: {}", std::strerror(error)));
}

}  // namespace

Result<std::string> ReadAll(int descriptor, std::size_t max_bytes) {
  std::string text;
  std::array<char, 65536> chunk;
  while (true) {
    const ssize_t count = ::read(descriptor, chunk.data(), chunk.size());
    if (count == 0) return text;
    if (count < 0) {
      if (errno == EINTR) continue;
      return CannotRead(errno);
    }
    text.append(chunk.data(), static_cast<std::size_t>(count));
    if (text.size() > max_bytes)
      return Fail(ErrorCode::kOutOfRange, fmt::format("stdin holds more than {} bytes", max_bytes));
  }
}

Result<std::string> ReadUserFile(const std::string& path) {
  auto text = ReadFile(path, std::uint64_t{256} << 20);
  if (!text) text.error().code = ErrorCode::kInvalidArgument;
  return text;
}

std::string JoinPrompt(std::string_view argument, std::string_view piped) {
  while (!piped.empty() && (piped.back() == '\n' || piped.back() == '\r')) piped.remove_suffix(1);
  std::string prompt(argument);
  if (!argument.empty() && !piped.empty()) prompt += "\n\n";
  prompt += piped;
  return ReplaceInvalidUtf8(prompt);
}

bool LineReader::TakeLine(std::string& line) {
  const std::size_t end = buffer_.find('\n', searched_);
  searched_ = end != std::string::npos ? 0 : buffer_.size();
  if (end != std::string::npos) {
    line.assign(buffer_, 0, end);
    buffer_.erase(0, end + 1);
  } else if (ended_ && !buffer_.empty()) {
    line.swap(buffer_);
    buffer_.clear();
    searched_ = 0;
  } else {
    return false;
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

LineReader::Event LineReader::Next(std::string& line) {
  while (true) {
    if (TakeLine(line)) return Event::kLine;
    if (ended_) return Event::kEnd;
    std::array<pollfd, 2> waiting{pollfd{.fd = descriptor_, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = wake_, .events = POLLIN, .revents = 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno == EINTR) continue;
      failure_ = errno;
      ended_ = true;
      continue;
    }
    if (waiting[1].revents != 0) {
      // Ctrl-C also discards what stood on the terminal's line; what came before in the buffer stays.
      return Event::kInterrupt;
    }
    std::array<char, 65536> chunk;
    const ssize_t count = ::read(descriptor_, chunk.data(), chunk.size());
    if (count > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    } else if (count == 0) {
      ended_ = true;
    } else if (errno != EINTR && errno != EAGAIN) {
      failure_ = errno;
      ended_ = true;
    }
  }
}

Status LineReader::status() const {
  if (failure_ == 0) return {};
  return CannotRead(failure_);
}

}  // namespace gptoss::cli
