#include "cli/acp_models.h"

#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/generation_options.h"
#include "cli/hub_context.h"
#include "cli/model_option.h"
#include "cli/model_provider.h"
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

Result<agents::PooledModel> Open(const std::string& name) {
  GenerationArguments arguments{.model = name};
  arguments.quiet = true;
  GPTOSS_CHECK_OK(ApplySettings(arguments));
  GPTOSS_TRY(Answering answering, OpenProvider(arguments));
  const SelectedModel& selected = answering.selected;
  return agents::PooledModel{.provider = std::move(answering.provider),
                             .small = selected.demo() || BytesAt(selected.path) < kSmallModel};
}

std::vector<agents::ModelChoice> Choices() {
  std::vector<agents::ModelChoice> choices;
  if (const auto installed = OpenInstalledModels()) {
    for (const hub::Manifest& manifest : installed->List()) {
      const std::string& name = manifest.repository.empty() ? manifest.model : manifest.repository;
      if (hub::IsGptOss(name)) choices.push_back({.name = manifest.model, .description = "installed"});
    }
  }
  choices.push_back({.name = kDemoName, .description = "a toy inside the program, to try things with"});
  return choices;
}

}  // namespace

Result<AgentModels> OpenAgentModels(const std::string& model) {
  AgentModels models;
  models.pool =
      std::make_unique<agents::ModelPool>([](const std::string& name) { return Open(name); }, Choices);
  const auto selected = SelectModel(model);
  if (selected) {
    models.selected = selected->name;
  } else {
    models.selected = model.empty() ? kDemoName : model;
  }
  return models;
}

}  // namespace gptoss::cli
