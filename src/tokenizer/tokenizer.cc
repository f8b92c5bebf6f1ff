#include "tokenizer/tokenizer.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/file.h"
#include "base/utf8.h"
#include "tokenizer/bpe.h"
#include "tokenizer/scanner.h"
#include "tokenizer/vocabulary.h"

namespace gptoss {
namespace {

constexpr std::int64_t kMaxId = 1 << 24;

// GPT-2's spelling of bytes as printable characters, backwards: code point -> byte, -1 elsewhere.
std::array<int, 324> ByteOfChar() {
  std::array<int, 324> table;
  table.fill(-1);
  std::size_t extra = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    table[printable ? static_cast<std::size_t>(byte) : extra++] = byte;
  }
  return table;
}

// False when a character stands for no byte.
bool SpelledBytes(std::string_view spelled, std::string& bytes) {
  static const std::array<int, 324> table = ByteOfChar();
  bytes.clear();
  while (!spelled.empty()) {
    const Utf8Step step = NextUtf8(spelled);
    if (step.kind != Utf8Step::Kind::kValid || step.code_point >= table.size() || table[step.code_point] < 0)
      return false;
    bytes.push_back(static_cast<char>(table[step.code_point]));
    spelled.remove_prefix(step.length);
  }
  return !bytes.empty();
}

struct AddedToken {
  std::string name;
  bool special = true;
};

class BpeTokenizer final : public Tokenizer {
 public:
  using Tokenizer::EncodeText;

  void EncodeText(std::string_view text, std::vector<TokenId>& out) const override {
    std::string repaired;
    if (!simdjson::validate_utf8(text.data(), text.size())) {
      repaired = ReplaceInvalidUtf8(text);
      text = repaired;
    }
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = NextPiece(text, at);
      EncodePiece(vocabulary_, byte_ids_, text.substr(at, end - at), out);
      at = end;
    }
  }
  std::string_view TokenBytes(TokenId id) const override {
    if (id >= 0 && id < vocabulary_.size()) return vocabulary_.Bytes(id);
    const auto it = added_.find(id);
    return it == added_.end() ? std::string_view() : it->second.name;
  }
  void AppendBytes(std::span<const TokenId> ids, std::string& out) const override {
    while (!ids.empty()) {
      ids = ids.subspan(vocabulary_.AppendBytes(ids, out));
      if (ids.empty()) return;
      out += TokenBytes(ids.front());
      ids = ids.subspan(1);
    }
  }
  bool IsSpecial(TokenId id) const override {
    const auto it = added_.find(id);
    return it != added_.end() && it->second.special;
  }
  bool IsKnown(TokenId id) const override { return !TokenBytes(id).empty(); }
  std::optional<TokenId> SpecialByName(std::string_view name) const override {
    for (const auto& [id, token] : added_) {
      if (token.special && token.name == name) return id;
    }
    return std::nullopt;
  }
  const SpecialTokens& special() const override { return special_; }
  TokenId size() const override {
    return added_.empty() ? vocabulary_.size() : std::max(vocabulary_.size(), added_.rbegin()->first + 1);
  }

  Vocabulary& vocabulary() { return vocabulary_; }
  std::map<TokenId, AddedToken>& added() { return added_; }

  Status Finish(std::string_view name) {
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      byte_ids_[byte] = vocabulary_.Find(std::string_view(&c, 1));
      if (byte_ids_[byte] < 0) {
        return Fail(ErrorCode::kDataLoss,
                    fmt::format("{}: the vocabulary has no entry for byte {}", name, byte));
      }
    }
    const auto find = [&](std::string_view token) { return SpecialByName(token).value_or(-1); };
    special_ = {find("<|startoftext|>"), find("<|endoftext|>"), find("<|return|>"),
                find("<|constrain|>"),   find("<|channel|>"),   find("<|start|>"),
                find("<|end|>"),         find("<|message|>"),   find("<|call|>")};
    return {};
  }

 private:
  Vocabulary vocabulary_;
  std::int32_t byte_ids_[256] = {};
  std::map<TokenId, AddedToken> added_;
  SpecialTokens special_;
};

using simdjson::dom::element;

// Reads one tokenizer.json; every failure is one sentence with the file's name.
class JsonLoader {
 public:
  explicit JsonLoader(std::string_view name) : name_(name) {}

  Result<std::shared_ptr<const Tokenizer>> Load(std::string_view json) {
    simdjson::dom::parser parser;
    const simdjson::padded_string padded(json);
    element root;
    if (const auto error = parser.parse(padded).get(root)) {
      return Wrong(fmt::format("not valid JSON ({})", simdjson::error_message(error)));
    }
    std::string_view type;
    if (root["model"]["type"].get(type) != simdjson::SUCCESS || type != "BPE")
      return Wrong("model.type: expected \"BPE\"");
    if (element normalizer;
        root["normalizer"].get(normalizer) == simdjson::SUCCESS && !normalizer.is_null()) {
      return Wrong("normalizer: expected null");
    }
    GPTOSS_CHECK_OK(CheckPattern(root));
    auto tokenizer = std::make_shared<BpeTokenizer>();
    GPTOSS_CHECK_OK(ReadVocabulary(root, *tokenizer));
    GPTOSS_CHECK_OK(ReadAdded(root, *tokenizer));
    GPTOSS_CHECK_OK(tokenizer->Finish(name_));
    return tokenizer;
  }

 private:
  std::unexpected<Error> Wrong(std::string_view what) const {
    return Fail(ErrorCode::kDataLoss, fmt::format("{}: {}", name_, what));
  }

  // Another pattern would split differently, silently: refused.
  Status CheckPattern(const element& root) const {
    simdjson::dom::array steps;
    if (root["pre_tokenizer"]["pretokenizers"].get(steps) == simdjson::SUCCESS) {
      for (const element step : steps) {
        std::string_view pattern;
        if (step["pattern"]["Regex"].get(pattern) == simdjson::SUCCESS && pattern == O200kPattern())
          return {};
      }
    }
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: pre_tokenizer: expected the split pattern of o200k", name_));
  }

  Status ReadVocabulary(const element& root, BpeTokenizer& tokenizer) const {
    simdjson::dom::object entries;
    if (root["model"]["vocab"].get(entries) != simdjson::SUCCESS)
      return Wrong("model.vocab: expected an object");
    std::vector<std::string_view> by_id;
    std::size_t count = 0, bytes = 0;
    for (const auto& [spelled, value] : entries) {
      std::int64_t id = 0;
      if (value.get(id) != simdjson::SUCCESS || id < 0 || id > kMaxId) {
        return Wrong(fmt::format("model.vocab: the id of \"{}\" is no id", spelled.substr(0, 40)));
      }
      if (by_id.size() <= static_cast<std::size_t>(id)) by_id.resize(static_cast<std::size_t>(id) + 1);
      if (by_id[static_cast<std::size_t>(id)].data() != nullptr)
        return Wrong(fmt::format("model.vocab: id {} occurs twice", id));
      by_id[static_cast<std::size_t>(id)] = spelled;
      ++count;
      bytes += spelled.size();
    }
    if (count != by_id.size())
      return Wrong(fmt::format("model.vocab: {} entries, but the largest id is {}", count, by_id.size()));
    tokenizer.vocabulary().Reserve(count, bytes);
    std::string token;
    for (std::size_t id = 0; id < by_id.size(); ++id) {
      if (!SpelledBytes(by_id[id], token) || !tokenizer.vocabulary().Add(token)) {
        return Wrong(fmt::format("model.vocab: entry {} (\"{}\") is no byte-level token or occurs twice", id,
                                 by_id[id].substr(0, 40)));
      }
    }
    return {};
  }

  Status ReadAdded(const element& root, BpeTokenizer& tokenizer) const {
    simdjson::dom::array tokens;
    if (root["added_tokens"].get(tokens) != simdjson::SUCCESS) return {};
    for (const element token : tokens) {
      std::int64_t id = 0;
      std::string_view content;
      bool special = true;
      if (token["id"].get(id) != simdjson::SUCCESS || token["content"].get(content) != simdjson::SUCCESS ||
          content.empty()) {
        return Wrong("added_tokens: an entry without id or content");
      }
      if (element flag; token["special"].get(flag) == simdjson::SUCCESS && flag.is_bool())
        special = flag.get_bool().value_unsafe();
      if (id < tokenizer.vocabulary().size() || id > kMaxId) {
        return Wrong(
            fmt::format("added_tokens: id {} of {} is not beyond the vocabulary", id, content.substr(0, 40)));
      }
      if (!tokenizer.added()
               .emplace(static_cast<TokenId>(id), AddedToken{std::string(content), special})
               .second) {
        return Wrong(fmt::format("added_tokens: id {} occurs twice", id));
      }
    }
    return {};
  }

  std::string_view name_;
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromJson(std::string_view json, std::string_view name) {
  return JsonLoader(name).Load(json);
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromFile(const std::filesystem::path& path) {
  GPTOSS_TRY(const auto file, MappedFile::Open(path));
  return FromJson(file->text(), file->name());
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromGguf(std::span<const GgufToken> tokens,
                                                             std::string_view name) {
  if (tokens.size() > static_cast<std::size_t>(kMaxId))
    return Fail(ErrorCode::kDataLoss, fmt::format("{}: too many tokens", name));
  auto tokenizer = std::make_shared<BpeTokenizer>();
  tokenizer->vocabulary().Reserve(tokens.size(), tokens.size() * 8);
  std::string bytes;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const GgufToken& token = tokens[id];
    if (token.type != 1) {  // control, user defined, unused: known by name only
      tokenizer->added().emplace(static_cast<TokenId>(id),
                                 AddedToken{std::string(token.text), token.type == 3 || token.type == 4});
      continue;
    }
    if (static_cast<std::size_t>(tokenizer->vocabulary().size()) != id || !SpelledBytes(token.text, bytes) ||
        !tokenizer->vocabulary().Add(bytes)) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{}: tokenizer.ggml.tokens: entry {} (\"{}\") is no byte-level token, occurs "
                              "twice or stands behind control tokens",
                              name, id, token.text.substr(0, 40)));
    }
  }
  GPTOSS_CHECK_OK(tokenizer->Finish(name));
  return tokenizer;
}

std::string Tokenizer::Decode(std::span<const TokenId> ids) const {
  std::string bytes;
  bytes.reserve(ids.size() * 5);  // about what a token of o200k has
  AppendBytes(ids, bytes);
  return simdjson::validate_utf8(bytes) ? bytes : ReplaceInvalidUtf8(bytes);
}

std::string StreamingDetokenizer::Push(TokenId id) {
  pending_ += tokenizer_->TokenBytes(id);
  std::string out;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Step step = NextUtf8(rest);
    if (step.kind == Utf8Step::Kind::kIncomplete) break;
    if (step.kind == Utf8Step::Kind::kValid) {
      out.append(rest.substr(0, step.length));
    } else {
      AppendUtf8(kReplacementCharacter, out);
    }
    rest.remove_prefix(step.length);
  }
  pending_ = std::string(rest);
  return out;
}

std::string StreamingDetokenizer::Flush() {
  std::string out;
  if (!pending_.empty()) AppendUtf8(kReplacementCharacter, out);
  pending_.clear();
  return out;
}

}  // namespace gptoss
