#include "cli/model_option.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "cli/settings_option.h"
#include "provider/generation.h"
#include "settings/paths.h"

namespace gptoss::cli {

void AddModelOption(CLI::App& app, std::string& path) {
  app.add_option("-m,--model", path,
                 "Checkpoint: a folder or a .gguf file (default: $GPTOSS_MODEL, model.default, else the "
                 "embedded demo)")
      ->type_name("PATH");
}

std::optional<std::string> SelectedModelPath(const std::string& path) {
  if (!path.empty()) return path;
  const auto input = CurrentSettingsInput();
  if (!input) return std::nullopt;
  const auto selected = Settings::LoadTolerant(*input)->StringIfSet("model.default");
  if (!selected) return std::nullopt;
  const auto expanded = ExpandHome(*selected);
  return expanded ? expanded->string() : *selected;
}

Result<Checkpoint> OpenSelectedCheckpoint(const std::string& path) {
  std::string where;  // that selects the model
  if (path.empty()) {
    // Strict: a file that is broken may be the one that selects the model.
    GPTOSS_TRY(const Settings::Pointer settings, LoadSettings(true));
    where = settings->entry(FindSetting("model.default").value_or(0)).where;
  }
  const std::optional<std::string> selected = SelectedModelPath(path);
  if (!selected) return OpenDemoCheckpoint();
  auto checkpoint = OpenCheckpoint(*selected);
  // A reader may call broken JSON an invalid argument; here it is the model that is broken, not its use.
  if (!checkpoint && checkpoint.error().code == ErrorCode::kInvalidArgument)
    checkpoint.error().code = ErrorCode::kDataLoss;
  if (!checkpoint && path.empty()) return std::unexpected(std::move(checkpoint).error().Within(where));
  return checkpoint;
}

}  // namespace gptoss::cli
