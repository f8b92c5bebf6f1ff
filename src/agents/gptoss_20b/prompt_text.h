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
// disk inside the workspace; of every other link the text says why it was not read. kInvalidArgument: a kind
// of content that was not offered. kCancelled.
Result<std::string> PromptText(const std::vector<acp::ContentBlock>& prompt, const Workspace& workspace,
                               TurnSink& sink);

// The path of a URI of a file on this machine. The error says what else it is.
Result<std::string> PathOfUri(std::string_view uri);

}  // namespace gptoss::agents
