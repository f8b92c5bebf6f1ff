// One call of the model in a turn: its stream as updates, its end as a value.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/agent.h"
#include "provider/agent_provider.h"

namespace gptoss::agents {

struct ModelCallOptions {
  StreamOptions stream;
  bool show_reasoning = true;
  bool silent = false;  // nothing is shown: work on the side
  // Pieces of the answer, shown or not; on the provider's thread. May be empty.
  std::function<void(const std::string& text)> on_answer;
};

// Waits for the end. While the model loads, that is said. After `cancel` it ends with TurnEnd::kCancelled.
StreamDone CallModel(GptOssAgentProvider& provider, const SessionId& session,
                     std::vector<harmony::Message> messages, const ModelCallOptions& options, TurnSink* sink,
                     const CancelToken& cancel);

}  // namespace gptoss::agents
