#include "cli/acp_models.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/generation_options.h"
#include "cli/hub_context.h"
#include "cli/install_progress.h"
#include "cli/license_flow.h"
#include "cli/model_option.h"
#include "cli/model_provider.h"
#include "cli/settings_option.h"
#include "hub/catalog.h"
#include "hub/manifest.h"

namespace gptoss::cli {
namespace {

// Models with smaller files know a few things by heart; the demo has 17 MB, GPT-OSS 20B 12 GB.
constexpr std::uint64_t kSmallModel = 200'000'000;

// Of a file, or of the files in a folder.
std::uint64_t BytesAt(const std::filesystem::path& path) {
  std::error_code none;
  if (!std::filesystem::is_directory(path, none)) {
    const std::uintmax_t size = std::filesystem::file_size(path, none);
    return none ? 0 : size;
  }
  std::uint64_t bytes = 0;
  for (std::filesystem::directory_iterator file(path, none), end; !none && file != end;
       file.increment(none)) {
    std::error_code not_a_file;
    const std::uintmax_t size = file->file_size(not_a_file);
    if (!not_a_file) bytes += size;
  }
  return bytes;
}

// A model that answers prompts; nullptr: none of the catalog.
const hub::CatalogEntry* InCatalog(const std::string& name) {
  const hub::CatalogEntry* entry = hub::FindInCatalog(name);
  return entry == nullptr || entry->layout == "embedding" ? nullptr : entry;
}

agents::InstallFacts FactsOf(const hub::CatalogEntry& entry) {
  agents::InstallFacts facts{.licence = LicenseTitle(entry.license, ""), .details = entry.title + "."};
  facts.details += fmt::format("\nFrom {} on the Hub", entry.repository);
  if (entry.approximate_bytes > 0) facts.details += ", about " + HumanBytes(entry.approximate_bytes);
  facts.details += fmt::format(".\nLicence: {}.", facts.licence);
  if (const hub::LicenseInfo* licence = hub::FindLicense(entry.license))
    facts.details += fmt::format(" {} {}", licence->summary, licence->url);
  facts.details += fmt::format("\nMemory: {}.", entry.memory_advice);
  return facts;
}

// Of the catalog, and not here: its provider fetches it when its user has agreed to that.
Result<agents::PooledModel> OpenNotInstalled(const hub::CatalogEntry& entry,
                                             const GenerationArguments& arguments) {
  const SelectedModel selected{
      .kind = SelectedModel::Kind::kInstalled, .name = entry.name, .path = {}, .chosen = true};
  agents::PooledModel model;
  GPTOSS_TRY(model.provider, MakeProvider(selected, arguments));
  model.small = entry.approximate_bytes < kSmallModel;
  model.install = FactsOf(entry);
  return model;
}

Result<agents::PooledModel> Open(const std::string& name) {
  GenerationArguments arguments{.model = name};
  arguments.quiet = true;
  GPTOSS_CHECK_OK(ApplySettings(arguments));
  auto selected = SelectModel(name);
  if (!selected) {
    const hub::CatalogEntry* entry = InCatalog(name);
    if (entry != nullptr && selected.error().code == ErrorCode::kNotFound)
      return OpenNotInstalled(*entry, arguments);
    return std::unexpected(std::move(selected).error());
  }
  agents::PooledModel model;
  GPTOSS_TRY(model.provider, MakeProvider(*selected, arguments));
  model.small = selected->demo() || BytesAt(selected->path) < kSmallModel;
  return model;
}

bool IsInstalled(std::string_view name) {
  const auto installed = OpenInstalledModels();
  return installed && installed->Find(name).has_value();
}

std::vector<agents::ModelChoice> Choices() {
  std::vector<agents::ModelChoice> choices;
  if (const auto installed = OpenInstalledModels()) {
    for (const hub::Manifest& manifest : installed->List()) {
      const std::string& name = manifest.repository.empty() ? manifest.model : manifest.repository;
      if (hub::IsGptOss(name)) choices.push_back({.name = manifest.model, .description = "installed"});
    }
  }
  if (const hub::CatalogEntry* entry = InCatalog(""); entry != nullptr && !IsInstalled(entry->name))
    choices.push_back(
        {.name = entry->name,
         .description = fmt::format("not installed: {} to fetch", HumanBytes(entry->approximate_bytes))});
  agents::ModelChoice demo{.name = kDemoName, .description = "a toy inside the program, to try things with"};
  GenerationArguments arguments{.quiet = true};
  if (ApplySettings(arguments)) demo.temperature = SamplingFor(arguments, true).temperature;
  choices.push_back(std::move(demo));
  return choices;
}

// What sessions begin with: what was selected, there or not; else what is installed; else the model that can
// be installed.
std::string Selected(const std::string& model) {
  const auto selected = SelectModel(model);
  if (selected && (selected->chosen || !selected->demo())) return selected->name;
  if (!selected && !model.empty()) return model;
  if (!selected) {
    if (const auto settings = LoadSettings(true)) {
      if (std::string name = (*settings)->StringIfSet("model.default").value_or(""); !name.empty())
        return name;
    }
  }
  const hub::CatalogEntry* entry = InCatalog("");
  return entry == nullptr ? kDemoName : entry->name;
}

}  // namespace

Result<AgentModels> OpenAgentModels(const std::string& model) {
  AgentModels models;
  models.selected = Selected(model);
  const auto why_not = [selected = models.selected]() -> std::string {
    const hub::CatalogEntry* entry = InCatalog(selected);
    if (selected.empty() || entry == nullptr || IsInstalled(entry->name)) return "";
    return fmt::format("{} is not installed; the first prompt offers to install it", entry->name);
  };
  models.pool = std::make_unique<agents::ModelPool>(Open, Choices, why_not);
  return models;
}

}  // namespace gptoss::cli
