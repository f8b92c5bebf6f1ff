#include "cli/settings_option.h"

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/terminal.h"

namespace gptoss::cli {
namespace {

// As given; the program has one command line.
std::vector<std::string>& SetTexts() {
  static std::vector<std::string> texts;
  return texts;
}

}  // namespace

void AddSetOption(CLI::App& app) {
  app.add_option("--set", SetTexts(),
                 "A setting for this call only (see 'gptoss config list'); may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->check([](const std::string& text) {
        const bool good = text.find('=') != std::string::npos && text.find('=') > 0;
        return good ? std::string() : "it takes NAME=VALUE, such as memory.idle_unload=5m";
      });
}

Result<SettingsInput> CurrentSettingsInput() {
  GPTOSS_TRY(SettingsInput input, SettingsInput::FromProcess());
  for (const std::string& text : SetTexts()) {
    const std::size_t equals = text.find('=');
    input.flags.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return input;
}

Result<Settings::Pointer> LoadSettings(bool quiet) {
  GPTOSS_TRY(const SettingsInput input, CurrentSettingsInput());
  GPTOSS_TRY(Settings::Pointer settings, Settings::Load(input));
  static bool remarked = false;
  if (!quiet && !std::exchange(remarked, true))
    for (const std::string& warning : settings->warnings()) Remark(warning);
  return settings;
}

}  // namespace gptoss::cli
