// A tokenizer for fuzz targets of Harmony.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace gptoss::testing {

// The 256 bytes and the control tokens, enough to reach every state.
class TinyTokenizer final : public Tokenizer {
 public:
  TinyTokenizer() {
    for (int i = 0; i < 256; ++i) bytes_[i] = static_cast<char>(i);
    special_ = {256, 257, 258, 259, 260, 261, 262, 263, 264};
  }
  void EncodeText(std::string_view text, std::vector<TokenId>& out) const override {
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  }
  std::string_view TokenBytes(TokenId id) const override {
    if (id < 0 || id > 265) return {};
    return id < 256 ? std::string_view(&bytes_[id], 1) : std::string_view("<|x|>");
  }
  bool IsSpecial(TokenId id) const override { return id >= 256 && id <= 265; }
  bool IsKnown(TokenId id) const override { return id >= 0 && id <= 265; }
  std::optional<TokenId> SpecialByName(std::string_view) const override { return std::nullopt; }
  const SpecialTokens& special() const override { return special_; }
  TokenId size() const override { return 266; }

 protected:
  void AppendBytes(std::span<const TokenId> ids, std::string& out) const override {
    for (const TokenId id : ids) out += TokenBytes(id);
  }

 private:
  char bytes_[256];
  SpecialTokens special_;
};

}  // namespace gptoss::testing
