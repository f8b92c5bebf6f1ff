#include "cli/acp_models.h"

#include <utility>
#include <vector>

#include "cli/hub_context.h"
#include "cli/model_option.h"
#include "hub/catalog.h"
#include "hub/manifest.h"
#include "model/checkpoint.h"
#include "provider/agent_provider.h"

namespace gptoss::cli {
namespace {

constexpr const char* kDemo = "demo";
// Models with narrower layers know a few things by heart; the demo has 192, GPT-OSS 20B 2,880.
constexpr std::int64_t kSmallHidden = 1024;

ProviderOptions OptionsFrom(const Settings& settings) {
  ProviderOptions options;
  options.temperature = settings.Number("generation.temperature");
  options.top_p = settings.Number("generation.top_p");
  options.memory.floor_total = settings.Bytes("memory.floor");
  options.memory.advised_total = settings.Bytes("memory.advised");
  options.memory.bound = settings.BytesIfSet("memory.bound").value_or(0);
  options.backend.threads = static_cast<int>(settings.Integer("engine.threads"));
  options.backend.precise = settings.Bool("engine.precise");
  options.context_tokens = settings.IntegerIfSet("memory.context_tokens").value_or(0);
  options.buffer_chunks = static_cast<std::size_t>(settings.Integer("stream.buffer_chunks"));
  options.preload = settings.Bool("memory.preload");
  const Duration idle = settings.Time("memory.idle_unload");
  options.idle_unload = idle.never ? std::chrono::milliseconds(-1) : idle.length;
  if (settings.Enum("memory.pressure_policy") == "cancel") options.pressure = PressurePolicy::kCancelTurns;
  return options;
}

Result<agents::PooledModel> Open(const std::string& name, const Settings& settings) {
  GPTOSS_TRY(const SelectedModel selected, SelectModel(name));
  GPTOSS_TRY(const Checkpoint checkpoint, OpenSelected(selected));
  ProviderOptions options = OptionsFrom(settings);
  options.model = selected.demo() ? "" : selected.path.string();
  agents::PooledModel model;
  const std::int64_t most = checkpoint.model->config.max_context;
  const std::int64_t wanted = options.context_tokens;
  model.context_tokens = static_cast<std::uint64_t>(wanted > 0 && wanted < most ? wanted : most);
  model.small = checkpoint.model->config.hidden < kSmallHidden;
  GPTOSS_TRY(model.provider, GptOssAgentProvider::Create(std::move(options), nullptr));
  return model;
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
