// What `gptoss acp` does with the models it found; apart from the command, so that tests can give their own.
#pragma once

#include "base/error.h"
#include "cli/acp_models.h"
#include "settings/settings.h"

namespace gptoss::cli {

// Speaks ACP over the program's stdin and stdout until the input ends or a signal comes. The exit code.
Result<int> ServeAcp(const AgentModels& models, const Settings::Pointer& settings);

}  // namespace gptoss::cli
