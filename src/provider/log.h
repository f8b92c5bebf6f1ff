// What a provider has to say to whoever runs it: loads, memory, ends of turns. Never what was said in them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace gptoss {

enum class LogLevel : std::uint8_t { kOff, kError, kWarning, kInfo, kDebug };
// Of the setting log.level: "off", "error", "warning", "info", "debug".
std::optional<LogLevel> ParseLogLevel(std::string_view name);

// One sentence without its newline; from any thread of the provider, so it must not call back and not wait.
using LogSink = std::function<void(LogLevel, std::string_view)>;
// Lines on stderr, "gptoss: warning: …", of everything that is at least as important; {} for kOff.
LogSink StderrLog(LogLevel least);

}  // namespace gptoss
