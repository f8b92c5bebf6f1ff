// A model pool for tests whose models do what the prompt says: provider/testing/prompted_model.h tells how.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agents/model_pool.h"
#include "provider/agent_provider.h"
#include "provider/testing/prompted_model.h"

namespace gptoss::agents::testing {

// Models "scripted", "other" (the same) and "absent" (not installed).
inline std::unique_ptr<ModelPool> MakeScriptedPool(const gptoss::testing::PromptedOptions& options = {}) {
  return std::make_unique<ModelPool>(
      [options](const std::string& name) -> Result<PooledModel> {
        if (name != "scripted" && name != "other" && name != "absent")
          return Fail(ErrorCode::kNotFound,
                      fmt::format("there is no model {}; 'gptoss install' installs one", name));
        gptoss::testing::PromptedOptions own = options;
        if (name == "absent") own.state = ModelState::kNotInstalled;
        PooledModel model;
        GPTOSS_TRY(model.provider, GptOssAgentProvider::Create(
                                       {.pressure_source = [] { return nullptr; }},
                                       std::make_unique<gptoss::testing::PromptedSource>(std::move(own))));
        return model;
      },
      [] {
        return std::vector<ModelChoice>{
            {"scripted", "does what it is told"}, {"other", "the same"}, {"absent", "is not there"}};
      });
}

}  // namespace gptoss::agents::testing
