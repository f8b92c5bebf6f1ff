// Messages that a model wrote, by the ids that it wrote them with. A text has one usual tokenization and many
// others; a model may have sampled one of those, and only the ids say which.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "harmony/conversation.h"
#include "tokenizer/tokenizer.h"

namespace gptoss::harmony {

// Whether `message.ids` are exactly this message: one of the assistant, well-formed, whose author, channel,
// recipient, type and content a parser reads from them without a repair. Whatever else they hold (they may
// come from a file, or from a session with another model), the answer is false.
bool IdsSayTheMessage(const Message& message, const Tokenizer& tokenizer);

// Cuts what was sampled into messages, each from its <|start|> to its <|end|> or <|call|>. `header`: how the
// prompt began the first of them, from its last <|start|> on. A last message that was cut off is closed, and
// <|return|> becomes <|end|>, as it stands in a history. `count`: how many messages the parser read; where
// that is not how many there are, all are empty.
std::vector<std::vector<TokenId>> CutIntoMessages(std::span<const TokenId> header,
                                                  std::span<const TokenId> sampled, std::size_t count,
                                                  const SpecialTokens& special);

}  // namespace gptoss::harmony
