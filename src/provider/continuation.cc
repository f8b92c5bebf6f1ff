#include "provider/continuation.h"

#include <algorithm>
#include <string_view>

namespace gptoss {
namespace {

using harmony::ParsedMessage;
using harmony::Route;

bool Keeps(const ParsedMessage& message) {
  return (message.route == Route::kReasoning || message.route == Route::kPreamble) &&
         !message.content.empty();
}

// Whether the sampled ids are exactly what a renderer would write for these messages, but for the last id.
bool WellFormed(std::span<const TokenId> generated, const harmony::StreamParser& parser,
                const SpecialTokens& special) {
  const auto& messages = parser.messages();
  if (generated.empty() || messages.empty() || parser.repaired()) return false;
  const TokenId last = generated.back();
  if (generated.size() > 1 && generated[generated.size() - 2] == special.end) return false;
  if (last != special.return_ && last != special.end_of_text && last != special.end) return false;
  // A header that was begun and not finished made no message.
  const auto count = std::count(generated.begin(), generated.end(), special.message);
  return count == static_cast<std::ptrdiff_t>(messages.size()) &&
         std::all_of(messages.begin(), messages.end(), Keeps);
}

}  // namespace

std::vector<TokenId> ContinueInFinal(std::span<const TokenId> prompt, std::span<const TokenId> generated,
                                     const harmony::StreamParser& parser, const Tokenizer& tokenizer) {
  const SpecialTokens& special = tokenizer.special();
  std::vector<TokenId> ids(prompt.begin(), prompt.end());
  bool role_written = true;  // the prompt ends in it
  const auto header = [&](std::string_view channel) {
    if (!role_written) {
      ids.push_back(special.start);
      tokenizer.EncodeText("assistant", ids);
    }
    role_written = false;
    ids.push_back(special.channel);
    tokenizer.EncodeText(channel, ids);
    ids.push_back(special.message);
  };
  if (WellFormed(generated, parser, special)) {
    ids.insert(ids.end(), generated.begin(), generated.end() - 1);
    ids.push_back(special.end);
    role_written = false;
  } else {
    for (const ParsedMessage& message : parser.messages()) {
      if (!Keeps(message)) continue;
      header(message.route == Route::kReasoning ? "analysis" : "commentary");
      tokenizer.EncodeText(message.content, ids);
      ids.push_back(special.end);
    }
  }
  header("final");
  return ids;
}

}  // namespace gptoss
