// A model that is not installed yet: its user is asked, and sees it come. Of this folder only.
#pragma once

#include <optional>
#include <string>

#include "agents/agent.h"
#include "agents/model_pool.h"
#include "base/cancel.h"

namespace gptoss::agents {

// Looks whether the model is there now. nullopt: it is, or it came, and the turn goes on. Otherwise the
// turn's end; what to do has been said. A download that another session has begun is waited for.
std::optional<TurnOutcome> MakeInstalled(const PooledModel& model, const std::string& name,
                                         const CancelToken& cancel, TurnSink& sink);

}  // namespace gptoss::agents
