// A command in a terminal of the client instead of a process of ours.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "agents/tool.h"

namespace gptoss::agents {

constexpr std::uint64_t kKeptOutputBytes = 1 << 20;  // of a command's output, the last ones

// How a command ended, as the model and the client read it.
struct CommandEnd {
  std::optional<std::int64_t> code;
  std::optional<std::string> signal;
  std::string stopped;  // "[cancelled by the user]"; "": by itself
  std::uint64_t output_bytes = 0;
};
ToolOutcome CommandOutcome(std::string_view output, const CommandEnd& end);
// What `stopped` says.
std::string StoppedByUser();
std::string StoppedAfter(std::int64_t seconds);

// Runs `command` by the shell in `folder`. The terminal is given back in every case; a command that is
// cancelled or takes longer than `seconds` is killed first. Precondition: the client offers terminals.
ToolOutcome RunInClientTerminal(const std::string& command, const std::string& folder, std::int64_t seconds,
                                const ToolRunContext& context);

}  // namespace gptoss::agents
