// The models that sessions may choose, each with its provider, made when it is first asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "provider/agent_provider.h"

namespace gptoss::agents {

struct ModelChoice {
  std::string name, description;
};

struct PooledModel {
  std::unique_ptr<GptOssAgentProvider> provider;
  // A model that knows little (the demo): it is given few tools, no long instructions and no side work.
  bool small = false;
};

// Safe from any thread. What Get gave lives as long as the pool.
class ModelPool {
 public:
  using Open = std::function<Result<PooledModel>(const std::string& name)>;
  using List = std::function<std::vector<ModelChoice>()>;
  ModelPool(Open open, List list) : open_(std::move(open)), list_(std::move(list)) {}

  // Errors: those of `open`; they are not remembered, so that a model that is installed later is found.
  Result<const PooledModel*> Get(const std::string& name) {
    std::lock_guard lock(mutex_);
    if (const auto found = models_.find(name); found != models_.end()) return &found->second;
    GPTOSS_TRY(PooledModel model, open_(name));
    return &models_.emplace(name, std::move(model)).first->second;
  }
  std::vector<ModelChoice> Choices() const { return list_(); }

 private:
  const Open open_;
  const List list_;
  std::mutex mutex_;
  std::map<std::string, PooledModel> models_;
};

}  // namespace gptoss::agents
