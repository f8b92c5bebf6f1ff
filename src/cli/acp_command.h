// What `gptoss acp` does with the models it found; apart from the command, so that tests can give their own.
#pragma once

#include <functional>

#include "agents/agent.h"
#include "base/error.h"
#include "cli/acp_models.h"
#include "settings/settings.h"

namespace gptoss::cli {

// Speaks ACP over the program's stdin and stdout until the input ends or a signal comes. The exit code.
// `add_agents`: more modes of a session behind GPT-OSS; may be empty.
Result<int> ServeAcp(const AgentModels& models, const Settings::Pointer& settings,
                     const std::function<void(agents::AgentRegistry&)>& add_agents = {});

}  // namespace gptoss::cli
