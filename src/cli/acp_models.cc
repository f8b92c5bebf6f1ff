#include "cli/acp_models.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/generation_options.h"
#include "cli/hub_context.h"
#include "cli/model_option.h"
#include "cli/model_provider.h"
#include "hub/catalog.h"
#include "hub/manifest.h"
#include "model/checkpoint.h"

namespace gptoss::cli {
namespace {

constexpr const char* kDemo = "demo";
// Models with narrower layers know a few things by heart; the demo has 192, GPT-OSS 20B 2,880.
constexpr std::int64_t kSmallHidden = 1024;

Result<agents::PooledModel> Open(const std::string& name, const Settings& settings) {
  GenerationArguments arguments{.model = name};
  arguments.quiet = true;
  GPTOSS_CHECK_OK(ApplySettings(arguments));
  GPTOSS_TRY(Answering answering, OpenProvider(arguments));
  GPTOSS_TRY(const Checkpoint checkpoint, OpenSelected(answering.selected));
  const ModelConfig& config = checkpoint.model->config;
  const std::int64_t wanted = settings.IntegerIfSet("memory.context_tokens").value_or(config.max_context);
  return agents::PooledModel{
      .provider = std::move(answering.provider),
      .context_tokens = static_cast<std::uint64_t>(std::min(wanted, config.max_context)),
      .small = config.hidden < kSmallHidden};
}

std::vector<agents::ModelChoice> Choices() {
  std::vector<agents::ModelChoice> choices;
  if (const auto installed = OpenInstalledModels()) {
    for (const hub::Manifest& manifest : installed->List()) {
      const std::string& name = manifest.repository.empty() ? manifest.model : manifest.repository;
      if (hub::IsGptOss(name)) choices.push_back({.name = manifest.model, .description = "installed"});
    }
  }
  choices.push_back({.name = kDemo, .description = "a toy inside the program, to try things with"});
  return choices;
}

}  // namespace

Result<AgentModels> OpenAgentModels(const std::string& model, Settings::Pointer settings) {
  AgentModels models;
  models.pool = std::make_unique<agents::ModelPool>(
      [settings = std::move(settings)](const std::string& name) { return Open(name, *settings); }, Choices);
  const auto selected = SelectModel(model);
  if (selected) {
    models.selected = selected->name;
  } else {
    models.selected = model.empty() ? kDemo : model;
  }
  return models;
}

}  // namespace gptoss::cli
