// Completions for tests, written as text.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace gptoss::testing {

// Ids of text in which control tokens are spelled out; one that the tokenizer does not have throws.
inline std::vector<TokenId> Script(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<TokenId> ids;
  while (!text.empty()) {
    const std::size_t close = text.find("|>");
    if (text.starts_with("<|") && close != std::string_view::npos) {
      ids.push_back(tokenizer.SpecialByName(text.substr(0, close + 2)).value());
      text.remove_prefix(close + 2);
      continue;
    }
    const std::size_t next = text.find("<|", 1);
    tokenizer.EncodeText(text.substr(0, next), ids);
    text.remove_prefix(next == std::string_view::npos ? text.size() : next);
  }
  return ids;
}

}  // namespace gptoss::testing
