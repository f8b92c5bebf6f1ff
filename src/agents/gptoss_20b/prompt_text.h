// What the model is told: who it is, and a prompt's blocks as text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acp/types.h"
#include "agents/agent.h"
#include "agents/workspace.h"

namespace gptoss::agents {

// The developer message of a session. `small`: "".
std::string Instructions(const Workspace& workspace, bool small);

// A prompt as one text. Files that are linked are read through the client where it offers that, else from the
// disk inside the workspace; others are named only. kInvalidArgument: a kind of content that was not offered.
Result<std::string> PromptText(const std::vector<acp::ContentBlock>& prompt, const Workspace& workspace,
                               TurnSink& sink);

// The path of a file:// URI; "" of any other.
std::string PathOfUri(std::string_view uri);

}  // namespace gptoss::agents
