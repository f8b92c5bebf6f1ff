// The models that sessions of an agent may choose: the embedded demo, what is installed, what was selected.
#pragma once

#include <memory>
#include <string>

#include "agents/model_pool.h"
#include "base/error.h"

namespace gptoss::cli {

struct AgentModels {
  std::unique_ptr<agents::ModelPool> pool;
  std::string selected;  // the one to begin with: of -m, a setting, what is installed, else what can be
};
// `model`: of the command line, "" if it has none. A model that cannot be opened is no error here: a session
// that asks it says what to do.
Result<AgentModels> OpenAgentModels(const std::string& model);

}  // namespace gptoss::cli
