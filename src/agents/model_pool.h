// The models that sessions may choose, each with its provider, made when it is first asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agents/agent.h"
#include "base/error.h"
#include "provider/agent_provider.h"

namespace gptoss::agents {

struct ModelChoice {
  std::string name, description;
  std::optional<double> temperature = {};  // in force while nobody chooses; none: the usual one
};

// What the model of `choices` answers with.
inline double TemperatureInForce(const Choices& choices, const std::vector<ModelChoice>& models) {
  if (choices.temperature) return *choices.temperature;
  for (const ModelChoice& model : models) {
    if (model.name == choices.model) return model.temperature.value_or(choices.usual_temperature);
  }
  return choices.usual_temperature;
}

// What a user is told before a model is fetched.
struct InstallFacts {
  std::string licence;  // "Apache License 2.0 (apache-2.0)"
  std::string details;  // where it comes from, what the licence says, what memory it wants
};

struct PooledModel {
  std::unique_ptr<GptOssAgentProvider> provider;
  // A model that knows little (the demo): it is given few tools, no long instructions and no side work.
  bool small = false;
  std::optional<InstallFacts> install = {};  // of a model that sessions may offer to install
};

// Safe from any thread. What Get gave lives as long as the pool.
class ModelPool {
 public:
  using Open = std::function<Result<PooledModel>(const std::string& name)>;
  using List = std::function<std::vector<ModelChoice>()>;
  using WhyNot = std::function<std::string()>;
  // `why_not`: why nobody can answer yet and what to do, for people; empty, or "": somebody can. Cheap.
  ModelPool(Open open, List list, WhyNot why_not = {})
      : open_(std::move(open)), list_(std::move(list)), why_not_(std::move(why_not)) {}

  // Errors: those of `open`; they are not remembered, so that a model that is installed later is found.
  Result<const PooledModel*> Get(const std::string& name) {
    std::lock_guard lock(mutex_);
    if (const auto found = models_.find(name); found != models_.end()) return &found->second;
    GPTOSS_TRY(PooledModel model, open_(name));
    return &models_.emplace(name, std::move(model)).first->second;
  }
  std::vector<ModelChoice> Choices() const { return list_(); }
  std::string Unavailable() const { return why_not_ ? why_not_() : ""; }

 private:
  const Open open_;
  const List list_;
  const WhyNot why_not_;
  std::mutex mutex_;
  std::map<std::string, PooledModel> models_;
};

}  // namespace gptoss::agents
