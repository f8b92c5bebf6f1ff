// Conversation -> token ids. The only way from a request to tokens: control tokens are pushed as ids, text
// is encoded as text, and nothing that a user, tool or developer writes can become a control token. What the
// model wrote itself is given back to it by the ids that it sampled, where a message has them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "harmony/conversation.h"
#include "tokenizer/tokenizer.h"

namespace gptoss::harmony {

enum class RenderMode : std::uint8_t {
  kConversation,  // the messages alone
  kCompletion,    // then "<|start|>assistant": the model goes on from there
  kTraining,      // as kConversation; a last assistant message on `final` ends in <|return|>
};

enum class AnalysisDrop : std::uint8_t {
  kNone,
  kOfficial,      // openai/harmony's rule (auto_drop_analysis), oddities included
  kStablePrefix,  // analysis of finished turns goes, that of the running turn stays: prefixes never change
                  // back
};

struct RenderOptions {
  RenderMode mode = RenderMode::kCompletion;
  AnalysisDrop drop = AnalysisDrop::kStablePrefix;
};

struct Rendered {
  std::vector<TokenId> ids;
  std::string text;  // the same with control tokens spelled out, for people and tests; not for tokenizing
};

// Errors: system content outside a system message and the like (kInvalidArgument).
Result<Rendered> Render(const Conversation& conversation, const Tokenizer& tokenizer,
                        const RenderOptions& options = {});

}  // namespace gptoss::harmony
