// gptoss doctor: looks at everything that can be wrong on this machine and says what to do.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/doctor_checks.h"
#include "cli/interrupt.h"
#include "cli/model_option.h"
#include "cli/settings_option.h"
#include "cli/terminal.h"

namespace gptoss::cli {
namespace {

struct DoctorOptions {
  std::string model;
  bool json = false, full = false;
};

Findings Examine(const DoctorOptions& options, const CancelToken& cancel) {
  Findings findings;
  CheckPlatformAndCpu(findings);
  const auto input = CurrentSettingsInput();
  // Without a home folder there are no files; the rest is still worth a look.
  const Settings::Pointer settings = input ? Settings::LoadTolerant(*input) : Settings::Defaults();
  Findings model;
  const std::uint64_t weights = CheckSelectedModel(options.model, model);
  CheckMemory(*settings, weights, findings);
  CheckDisk(*settings, findings);
  CheckSettings(*settings, findings);
  CheckPolicy(findings);
  CheckFolders(findings);
  findings.insert(findings.end(), model.begin(), model.end());
  CheckInstalledModels(options.full, cancel, findings);
  return findings;
}

std::string Text(const Findings& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    out += fmt::format("{:8} {:16} {}\n", HealthName(finding.health), finding.check, finding.message);
    if (!finding.advice.empty()) out += fmt::format("{:25} -> {}\n", "", finding.advice);
  }
  return WithoutControls(ReplaceInvalidUtf8(out));
}

std::string JsonText(const Findings& findings, bool healthy) {
  Json checks = Json::array();
  for (const Finding& finding : findings)
    checks.push_back({{"check", finding.check},
                      {"status", std::string(HealthName(finding.health))},
                      {"message", finding.message},
                      {"advice", finding.advice.empty() ? Json(nullptr) : Json(finding.advice)}});
  return DumpJson(Json{{"healthy", healthy}, {"checks", std::move(checks)}}) + "\n";
}

}  // namespace

void AddDoctorCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("doctor", "Look at this machine and this installation: what is wrong, what to do");
  auto options = std::make_shared<DoctorOptions>();
  AddModelOption(*command, options->model);
  command->add_flag("--full", options->full, "Read installed models whole and compare every hash");
  command->add_flag("--json", options->json, "One JSON object");
  command->footer("Exit code: 0 when there is no error (warnings are none), 1 otherwise.");
  command->callback([options, &exit_code] {
    const CancelSource cancel;
    InterruptHandler interrupt;
    interrupt.BeginTurn(cancel);
    const Findings findings = Examine(*options, cancel.token());
    interrupt.EndTurn();
    const bool healthy = std::ranges::none_of(
        findings, [](const Finding& finding) { return finding.health == Health::kError; });
    StandardOutput().Write(options->json ? JsonText(findings, healthy) : Text(findings));
    exit_code = cancel.cancelled() ? SignalExitCode() : healthy ? 0 : 1;
  });
}

}  // namespace gptoss::cli
