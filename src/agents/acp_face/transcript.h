// What a session's client was shown, as it is kept and shown again: session updates of protocol version 1,
// one text each. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acp/types.h"
#include "base/json.h"

namespace gptoss::agents {

// Whether an update is part of the story; the rest (usage, titles, options, notices, progress) is state or
// passes.
bool BelongsToTranscript(const acp::Update& update);

// The updates that tell the same story: pieces of a message joined, a tool call as its beginning and its end,
// the last plan only. A call that never ended is told as failed. Items that cannot be read are passed over.
std::vector<Json> Replay(const std::vector<std::string>& items, const acp::ClientTraits& client);

}  // namespace gptoss::agents
