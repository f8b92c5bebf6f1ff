// gptoss stats: what the local log of numbers says.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/telemetry_table.h"
#include "cli/terminal.h"
#include "provider/from_settings.h"

namespace gptoss::cli {
namespace {

Status Show(bool json) {
  GPTOSS_TRY(const auto folder, TelemetryFolder());
  GPTOSS_TRY(const TelemetryLog log, ReadTelemetry(folder));
  if (json) {
    StandardOutput().Write(DumpJson(TelemetryJson(log)) + "\n");
  } else if (log.records.empty() && log.damage.empty()) {
    Remark(
        "there are no numbers yet: 'gptoss run --telemetry' writes them for one call, 'gptoss config set "
        "telemetry.enabled true' for all.");
  } else {
    StandardOutput().Write(WithoutControls(ReplaceInvalidUtf8(TelemetryTable(log))));
  }
  if (log.records.empty() && !log.damage.empty())
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{}; none is left: move the files away to start anew", DescribeDamage(log)));
  return {};
}

}  // namespace

void AddStatsCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("stats", "Speed and memory of past answers, from the local log");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object");
  command->footer(
      "The log is written with --telemetry or telemetry.enabled only; it holds numbers, never text, and "
      "stays on this machine.");
  command->callback([json, &exit_code] {
    const Status shown = Show(*json);
    if (shown) return;
    Complain(shown.error().message);
    exit_code = ExitCode(shown.error().code);
  });
}

}  // namespace gptoss::cli
