// One turn: a conversation in, events and a judged result out. What LoadedModel::RunTurn does, on parts that
// tests can replace.
#pragma once

#include <functional>
#include <vector>

#include "engine/engine.h"
#include "harmony/conversation.h"
#include "harmony/parser.h"
#include "provider/generation.h"
#include "tokenizer/tokenizer.h"

namespace gptoss {

using TurnEvents = std::function<void(const harmony::ParserEvent&, const harmony::StreamParser&)>;

// Safe from any thread. `stop_ids` end a try; `on_event` is called on this thread and may be empty.
TurnResult RunTurnOn(Engine& engine, const Tokenizer& tokenizer, const std::vector<TokenId>& stop_ids,
                     const harmony::Conversation& conversation, const TurnOptions& options,
                     const TurnEvents& on_event);

}  // namespace gptoss
