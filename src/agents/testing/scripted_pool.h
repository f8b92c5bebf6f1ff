// A model pool for tests whose models do what the prompt says: provider/testing/prompted_model.h tells how.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agents/model_pool.h"
#include "provider/agent_provider.h"
#include "provider/testing/prompted_model.h"

namespace gptoss::agents::testing {

// Models "scripted" and "other" (the same), "small" (knows little), "loading" (takes three seconds), "absent"
// (not installed) and "installable" (not installed, and offered).
inline std::unique_ptr<ModelPool> MakeScriptedPool(const gptoss::testing::PromptedOptions& options = {}) {
  return std::make_unique<ModelPool>(
      [options](const std::string& name) -> Result<PooledModel> {
        gptoss::testing::PromptedOptions own = options;
        own.installable = name == "installable";
        if (name == "absent" || own.installable) {
          own.state = ModelState::kNotInstalled;
        } else if (name == "loading") {
          own.load_time = std::chrono::seconds(3);
        } else if (name != "scripted" && name != "other" && name != "small") {
          return Fail(ErrorCode::kNotFound,
                      fmt::format("there is no model {}; 'gptoss install' installs one", name));
        }
        PooledModel model{.provider = nullptr, .small = name == "small"};
        GPTOSS_TRY(model.provider,
                   GptOssAgentProvider::Create({.pressure_source = [] { return nullptr; }},
                                               std::make_unique<gptoss::testing::PromptedSource>(own)));
        if (own.installable)
          model.install = InstallFacts{.licence = "Apache License 2.0 (apache-2.0)", .details = "A test."};
        return model;
      },
      [] {
        return std::vector<ModelChoice>{
            {"scripted", "does what it is told"}, {"other", "the same"},
            {"small", "knows little", 0.0},       {"loading", "takes its time"},
            {"absent", "is not there"},           {"installable", "is not there yet"}};
      });
}

}  // namespace gptoss::agents::testing
