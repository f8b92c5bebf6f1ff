#include "provider/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace gptoss {
namespace {

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
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  };
}

}  // namespace gptoss
