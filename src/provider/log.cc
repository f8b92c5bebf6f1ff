#include "provider/log.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <string>

namespace gptoss {
namespace {

// A reader that takes nothing must not hold up loads, turns and the end of the program: after one wait for
// it, lines that find no room are dropped.
constexpr int kPatience = 500;  // ms

bool StderrTakes() {
  static std::atomic<bool> stuck{false};
  pollfd room{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  const bool ready = ::poll(&room, 1, stuck.load() ? 0 : kPatience) != 0;
  stuck.store(!ready);
  return ready;
}

constexpr std::array<std::string_view, 5> kLevelNames = {"off", "error", "warning", "info", "debug"};

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  const auto found = std::ranges::find(kLevelNames, name);
  if (found == kLevelNames.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kLevelNames.begin());
}

LogSink StderrLog(LogLevel least) {
  if (least == LogLevel::kOff) return {};
  return [least](LogLevel level, std::string_view sentence) {
    if (level > least || level == LogLevel::kOff) return;
    // One write, so that lines of several threads do not mix; who reads no stderr misses nothing else.
    const std::string line =
        fmt::format("gptoss: {}: {}\n", kLevelNames[static_cast<std::size_t>(level)], sentence);
    if (StderrTakes()) {
      [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    }
  };
}

}  // namespace gptoss
