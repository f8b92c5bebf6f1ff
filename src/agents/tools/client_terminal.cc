#include "agents/tools/client_terminal.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "agents/agent.h"
#include "base/text.h"

namespace gptoss::agents {
namespace {

Json OrNull(const auto& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

std::string StoppedByUser() { return "[cancelled by the user]"; }
std::string StoppedAfter(std::int64_t seconds) { return fmt::format("[stopped after {} s]", seconds); }

ToolOutcome CommandOutcome(std::string_view output, const CommandEnd& end) {
  std::string text = Abridge(output, kModelBytes);
  if (!text.empty() && text.back() != '\n') text += '\n';
  std::string how = end.stopped;
  if (how.empty() && end.signal)
    how = fmt::format("[ended by signal {}]", Excerpt(*end.signal, kMessageBytes));
  if (how.empty()) how = fmt::format("[exit code {}]", end.code.value_or(0));
  ToolOutcome outcome{.text = text + how,
                      .failed = !end.stopped.empty() || end.signal || end.code.value_or(0) != 0};
  outcome.raw_output =
      Json{{"exitCode", OrNull(end.code)},
           {"signal", end.signal ? Json(Excerpt(*end.signal, kMessageBytes)) : Json(nullptr)},
           {"outputBytes", end.output_bytes}};
  return outcome;
}

ToolOutcome RunInClientTerminal(const std::string& command, const std::string& folder, std::int64_t seconds,
                                const ToolRunContext& context) {
  auto opened = context.sink->OpenTerminal({.command = "/bin/sh",
                                            .arguments = {"-c", command},
                                            .folder = folder,
                                            .output_limit = kKeptOutputBytes});
  if (!opened) return FailedOutcome(opened.error().message);
  ClientTerminal& terminal = **opened;
  acp::ToolCall live;
  live.content = {acp::ToolTerminal{terminal.id()}};
  live.transient = true;  // its id means nothing later
  context.progress(std::move(live));
  const auto waited = terminal.WaitForExit(std::chrono::seconds(seconds));
  CommandEnd end;
  std::optional<acp::TerminalExit> exit = waited ? *waited : std::nullopt;
  if (!exit) {
    if (waited) end.stopped = context.cancel.cancelled() ? StoppedByUser() : StoppedAfter(seconds);
    exit = terminal.Kill();
  }
  if (exit) {
    end.code = exit->code;
    end.signal = exit->signal;
  }
  const auto output = terminal.Output();
  if (!waited) return FailedOutcome(waited.error().message);
  const std::string text = output ? output->output : fmt::format("[no output: {}]", output.error().message);
  end.output_bytes = output ? output->output.size() : 0;
  return CommandOutcome(output && output->truncated ? "[... the beginning is left out ...]\n" + text : text,
                        end);
}

}  // namespace gptoss::agents
