#include "cli/model_option.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "cli/hub_context.h"
#include "cli/settings_option.h"
#include "hub/catalog.h"
#include "hub/manifest.h"
#include "provider/generation.h"
#include "provider/hub_source.h"
#include "settings/paths.h"
#include "settings/policy.h"

namespace gptoss::cli {

namespace {

namespace fs = std::filesystem;

Result<SelectedModel> Installed(const hub::Manifest& manifest, bool chosen) {
  GPTOSS_CHECK_OK(hub::RequireIntact(manifest));
  return SelectedModel{.kind = SelectedModel::Kind::kInstalled,
                       .name = manifest.model,
                       .path = hub::CheckpointPath(manifest),
                       .chosen = chosen};
}

bool LooksLikePath(const std::string& text) {
  return text.front() == '/' || text.front() == '.' || text.front() == '~' || text.ends_with(".gguf");
}

// What somebody said.
Result<SelectedModel> Named(const std::string& text) {
  auto expanded = ExpandHome(text);
  const fs::path path = expanded ? *expanded : fs::path(text);
  std::error_code error;
  const SelectedModel as_path{.kind = SelectedModel::Kind::kPath, .name = text, .path = path, .chosen = true};
  if (fs::exists(path, error) || LooksLikePath(text)) return as_path;
  if (text == kDemoName) return SelectedModel{.name = text, .chosen = true};
  GPTOSS_TRY(const hub::ManifestStore installed, OpenInstalledModels());
  const auto manifest = installed.Find(text);
  if (manifest) return Installed(*manifest, true);
  if (manifest.error().code != ErrorCode::kNotFound) return std::unexpected(manifest.error());
  return Fail(
      ErrorCode::kNotFound,
      fmt::format("there is no file or folder {0}, and no installed model of that name; 'gptoss list' shows "
                  "the installed ones, 'gptoss install {0}' installs it",
                  text));
}

// The first of the catalog that is installed, else any other model that can chat. Nobody asked for it by
// name: where one is damaged, that is said and not stepped over.
Result<std::optional<SelectedModel>> AnyInstalled() {
  const auto installed = OpenInstalledModels();
  if (!installed) return std::nullopt;  // no home folder: the demo needs none
  const std::vector<hub::Manifest> manifests = installed->List();
  const hub::Manifest* best = nullptr;
  for (const hub::CatalogEntry& entry : hub::Catalog()) {
    if (entry.layout == "embedding") continue;
    for (const hub::Manifest& manifest : manifests)
      if (best == nullptr && manifest.model == entry.name) best = &manifest;
  }
  for (const hub::Manifest& manifest : manifests)
    if (best == nullptr && hub::IsGptOss(manifest.repository.empty() ? manifest.model : manifest.repository))
      best = &manifest;
  if (best == nullptr) return std::nullopt;
  GPTOSS_TRY(SelectedModel selected, Installed(*best, false));
  return selected;
}

}  // namespace

void AddModelOption(CLI::App& app, std::string& model) {
  app.add_option(
         "-m,--model", model,
         "An installed model's name, a folder or a .gguf file (default: $GPTOSS_MODEL, else model.default, "
         "else an installed model, else the embedded demo)")
      ->type_name("MODEL")
      ->check([](const std::string& text) {
        // An unset variable of a shell must not silently mean the demo.
        return text.empty() ? "the name of the model is empty" : "";
      });
}

Result<SelectedModel> SelectModel(const std::string& model) {
  if (!model.empty()) return Named(model);
  // Strict: a file that is broken may be the one that selects the model. GPTOSS_MODEL is the setting's
  // variable.
  GPTOSS_TRY(const Settings::Pointer settings, LoadSettings(true));
  const std::string text = settings->StringIfSet("model.default").value_or("");
  if (!text.empty()) {
    const std::string& origin = settings->entry(FindSetting("model.default").value_or(0)).where;
    auto selected = Named(text);
    if (!selected) return std::unexpected(std::move(selected).error().Within(origin));
    selected->origin = origin;
    return selected;
  }
  GPTOSS_TRY(std::optional<SelectedModel> any, AnyInstalled());
  return any ? std::move(*any) : SelectedModel{.name = std::string(kDemoName)};
}

Result<Checkpoint> OpenSelected(const SelectedModel& selected) {
  if (selected.demo()) return OpenDemoCheckpoint();
  auto checkpoint = OpenCheckpoint(selected.path);
  // A reader may call broken JSON an invalid argument; here it is the model that is broken, not its use.
  if (!checkpoint && checkpoint.error().code == ErrorCode::kInvalidArgument)
    checkpoint.error().code = ErrorCode::kDataLoss;
  if (!checkpoint && !selected.origin.empty())
    return std::unexpected(std::move(checkpoint).error().Within(selected.origin));
  return checkpoint;
}

Result<Checkpoint> OpenSelectedCheckpoint(const std::string& model) {
  GPTOSS_TRY(const SelectedModel selected, SelectModel(model));
  return OpenSelected(selected);
}

Status CheckAllowed(const SelectedModel& selected) {
  if (selected.demo()) return {};
  GPTOSS_TRY(const Policy policy, Policy::Load());
  GPTOSS_TRY(const fs::path state, StateDirectory());
  const hub::ManifestStore installed(state);
  if (selected.kind == SelectedModel::Kind::kPath) return CheckMayLoad(policy, selected.path, installed);
  GPTOSS_TRY(const hub::Manifest manifest, installed.Find(selected.name));
  return CheckMayLoad(policy, manifest, state);
}

std::string SelectionNotice(const SelectedModel& selected) {
  if (selected.chosen) return "";
  if (selected.demo())
    return "no model is installed or selected: the embedded demo model answers. It knows only a few things; "
           "'gptoss install' installs GPT-OSS 20B.";
  return fmt::format("{} answers (installed; -m selects another).", selected.name);
}

}  // namespace gptoss::cli
