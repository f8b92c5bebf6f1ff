// Any sequence of ids: events stay in order, memory stays bounded.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "harmony/parser.h"

namespace {

// The 256 bytes and the control tokens, enough to reach every state.
class TinyTokenizer final : public gptoss::Tokenizer {
 public:
  TinyTokenizer() {
    for (int i = 0; i < 256; ++i) bytes_[i] = static_cast<char>(i);
    special_ = {256, 257, 258, 259, 260, 261, 262, 263, 264};
  }
  void EncodeText(std::string_view text, std::vector<gptoss::TokenId>& out) const override {
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  }
  std::string_view TokenBytes(gptoss::TokenId id) const override {
    if (id < 0 || id > 265) return {};
    return id < 256 ? std::string_view(&bytes_[id], 1) : std::string_view("<|x|>");
  }
  bool IsSpecial(gptoss::TokenId id) const override { return id >= 256 && id <= 265; }
  bool IsKnown(gptoss::TokenId id) const override { return id >= 0 && id <= 265; }
  std::optional<gptoss::TokenId> SpecialByName(std::string_view) const override { return std::nullopt; }
  const gptoss::SpecialTokens& special() const override { return special_; }
  gptoss::TokenId size() const override { return 266; }

 private:
  char bytes_[256];
  gptoss::SpecialTokens special_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TinyTokenizer tokenizer;
  if (size == 0) return 0;
  gptoss::harmony::ParserOptions options;
  options.role = (data[0] & 1) != 0 ? "assistant" : "";
  options.starts_in_content = (data[0] & 2) != 0;
  options.max_message_bytes = 1000;
  options.max_messages = 20;
  gptoss::harmony::StreamParser parser(tokenizer, options);
  std::vector<gptoss::harmony::ParserEvent> events;
  for (std::size_t i = 1; i < size; ++i) {
    // High bytes are control tokens and ids that do not exist.
    parser.Push(data[i] < 0xE0 ? data[i] : 256 + (data[i] & 15), events);
  }
  parser.Finish(events);
  std::size_t total = 0, deltas = 0;
  for (const auto& event : events) deltas += event.text.size();
  for (const auto& message : parser.messages()) total += message.content.size();
  if (total != deltas || parser.messages().size() > 20) std::abort();
  return 0;
}
