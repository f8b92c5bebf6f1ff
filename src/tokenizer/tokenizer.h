// Byte-level BPE in the o200k scheme, read from tokenizer.json or a GGUF's metadata.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gptoss {

using TokenId = std::int32_t;

// Ids of the Harmony control tokens, looked up by name in the tokenizer file; never constants.
struct SpecialTokens {
  TokenId start_of_text = -1;  // <|startoftext|>; -1 where the file has none
  TokenId end_of_text = -1;    // <|endoftext|>
  TokenId return_ = -1;        // <|return|>
  TokenId constrain = -1;      // <|constrain|>
  TokenId channel = -1;        // <|channel|>
  TokenId start = -1;          // <|start|>
  TokenId end = -1;            // <|end|>
  TokenId message = -1;        // <|message|>
  TokenId call = -1;           // <|call|>
};

// One entry of a GGUF's `tokenizer.ggml.tokens` with its `token_type` (1 normal, 3 control, 4 user defined
// …).
struct GgufToken {
  std::string_view text;
  std::int32_t type = 1;
};

// Immutable after loading; safe to share between threads.
class Tokenizer {
 public:
  // `json`: the text of a Hugging Face tokenizer.json; `name`: for messages.
  static Result<std::shared_ptr<const Tokenizer>> FromJson(std::string_view json, std::string_view name);
  static Result<std::shared_ptr<const Tokenizer>> FromFile(const std::filesystem::path& path);
  static Result<std::shared_ptr<const Tokenizer>> FromGguf(std::span<const GgufToken> tokens,
                                                           std::string_view name);
  virtual ~Tokenizer() = default;

  // Appends the ids of `text`. Control tokens spelled out in the text stay text: there is no way to get a
  // control token from here. Invalid UTF-8 is read as U+FFFD. Linear but for a logarithm in the length.
  virtual void EncodeText(std::string_view text, std::vector<TokenId>& out) const = 0;
  std::vector<TokenId> EncodeText(std::string_view text) const {
    std::vector<TokenId> ids;
    EncodeText(text, ids);
    return ids;
  }

  // Bytes of one token: of text as they are (maybe half a character), of a control token its name
  // ("<|start|>"). Empty for an id that has no entry.
  virtual std::string_view TokenBytes(TokenId id) const = 0;
  virtual bool IsSpecial(TokenId id) const = 0;  // an added token that is a control token
  virtual bool IsKnown(TokenId id) const = 0;    // has an entry, of either kind
  virtual std::optional<TokenId> SpecialByName(std::string_view name) const = 0;
  virtual const SpecialTokens& special() const = 0;
  virtual TokenId size() const = 0;  // largest id + 1

  // Whole-text decoding: invalid bytes become U+FFFD. Control tokens appear as their names.
  std::string Decode(std::span<const TokenId> ids) const;

 protected:
  // The bytes of all of them, as TokenBytes has them.
  virtual void AppendBytes(std::span<const TokenId> ids, std::string& out) const = 0;
};

// Turns a stream of ids into whole characters. One per message; not thread-safe.
class StreamingDetokenizer {
 public:
  explicit StreamingDetokenizer(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  // Text that became whole with this token (maybe empty). Bytes that can never become valid come out as
  // U+FFFD at once; an incomplete character is held back (at most 3 bytes).
  std::string Push(TokenId id);
  // The end of the message: what is still held back, as U+FFFD.
  std::string Flush();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;
};

}  // namespace gptoss
