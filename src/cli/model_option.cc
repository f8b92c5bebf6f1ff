#include "cli/model_option.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <utility>

#include "provider/generation.h"

namespace gptoss::cli {

namespace {
constexpr const char* kVariable = "GPTOSS_MODEL";
}

void AddModelOption(CLI::App& app, std::string& path) {
  app.add_option("-m,--model", path,
                 "Checkpoint: a folder or a .gguf file (default: $GPTOSS_MODEL, else the embedded demo)")
      ->type_name("PATH");
}

std::optional<std::string> SelectedModelPath(const std::string& path) {
  if (!path.empty()) return path;
  const char* variable = std::getenv(kVariable);
  if (variable != nullptr && *variable != '\0') return std::string(variable);
  return std::nullopt;
}

Result<Checkpoint> OpenSelectedCheckpoint(const std::string& path) {
  const std::optional<std::string> selected = SelectedModelPath(path);
  if (!selected) return OpenDemoCheckpoint();
  auto checkpoint = OpenCheckpoint(*selected);
  // A reader may call broken JSON an invalid argument; here it is the model that is broken, not its use.
  if (!checkpoint && checkpoint.error().code == ErrorCode::kInvalidArgument)
    checkpoint.error().code = ErrorCode::kDataLoss;
  if (!checkpoint && path.empty()) return std::unexpected(std::move(checkpoint).error().Within(kVariable));
  return checkpoint;
}

}  // namespace gptoss::cli
