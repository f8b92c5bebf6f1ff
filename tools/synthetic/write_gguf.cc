#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "synthetic/writers.h"

namespace gptoss::synthetic {
namespace {

// GGUF's numbers for kinds of metadata and types of tensors.
enum Kind : std::uint32_t { kU32 = 4, kI32 = 5, kF32 = 6, kString = 8, kArray = 9 };
enum TokenType : std::int32_t { kNormal = 1, kControl = 3, kUnused = 5 };
constexpr std::uint64_t kAlignment = 32;

class Header {
 public:
  template <typename T>
  void Number(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void String(std::string_view text) {
    Number(static_cast<std::uint64_t>(text.size()));
    text_.append(text);
  }
  void U32(std::string_view key, std::int64_t value) {
    Key(key, kU32);
    Number(static_cast<std::uint32_t>(value));
  }
  void F32(std::string_view key, float value) {
    Key(key, kF32);
    Number(value);
  }
  void Text(std::string_view key, std::string_view value) {
    Key(key, kString);
    String(value);
  }
  void Strings(std::string_view key, const std::vector<std::string>& values) {
    Array(key, kString, values.size());
    for (const std::string& value : values) String(value);
  }
  void Integers(std::string_view key, const std::vector<std::int32_t>& values) {
    Array(key, kI32, values.size());
    for (const std::int32_t value : values) Number(value);
  }
  std::uint64_t entries() const { return entries_; }
  std::string& text() { return text_; }

 private:
  void Key(std::string_view key, Kind kind) {
    ++entries_;
    String(key);
    Number(static_cast<std::uint32_t>(kind));
  }
  void Array(std::string_view key, Kind kind, std::size_t count) {
    Key(key, kArray);
    Number(static_cast<std::uint32_t>(kind));
    Number(static_cast<std::uint64_t>(count));
  }

  std::string text_;
  std::uint64_t entries_ = 0;
};

struct Vocabulary {
  std::vector<std::string> tokens, merges;
  std::vector<std::int32_t> types;
};

Result<Vocabulary> ReadVocabulary(const Json& tokenizer, std::int64_t size) {
  const auto wrong = [] {
    return Fail(
        ErrorCode::kInvalidArgument,
        "the tokenizer is no tokenizer.json with model.vocab, model.merges and added_tokens that fits "
        "--vocab");
  };
  std::map<std::int64_t, std::pair<std::string, std::int32_t>> entries;
  const auto model = tokenizer.find("model");
  if (model == tokenizer.end() || !model->contains("vocab") || !model->contains("merges")) return wrong();
  for (const auto& [token, id] : (*model)["vocab"].items()) {
    if (!id.is_number_integer()) return wrong();
    entries[id.get<std::int64_t>()] = {token, kNormal};
  }
  for (const Json& added : tokenizer.value("added_tokens", Json::array())) {
    if (!added.contains("id") || !added.contains("content")) return wrong();
    entries[added["id"].get<std::int64_t>()] = {added["content"].get<std::string>(), kControl};
  }
  if (entries.empty() || entries.begin()->first < 0 || entries.rbegin()->first >= size) return wrong();
  Vocabulary v;
  for (std::int64_t id = 0; id < size; ++id) {
    const auto it = entries.find(id);
    v.tokens.push_back(it == entries.end() ? fmt::format("[PAD{}]", id) : it->second.first);
    v.types.push_back(it == entries.end() ? std::int32_t{kUnused} : it->second.second);
  }
  for (const Json& merge : (*model)["merges"]) {
    v.merges.push_back(merge.is_array() && merge.size() == 2
                           ? merge[0].get<std::string>() + " " + merge[1].get<std::string>()
                           : merge.get<std::string>());
  }
  return v;
}

void Describe(Header& h, const Shape& s) {
  h.Text("general.architecture", "gpt-oss");
  h.Text("general.name", "synthetic gpt-oss");
  h.U32("general.file_type", 38);  // mostly MXFP4
  h.U32("gpt-oss.block_count", s.layers);
  h.U32("gpt-oss.context_length", s.max_context);
  h.U32("gpt-oss.embedding_length", s.hidden);
  h.U32("gpt-oss.feed_forward_length", s.expert_width);
  h.U32("gpt-oss.expert_feed_forward_length", s.expert_width);
  h.U32("gpt-oss.expert_count", s.experts);
  h.U32("gpt-oss.expert_used_count", s.experts_per_token);
  h.U32("gpt-oss.attention.head_count", s.heads);
  h.U32("gpt-oss.attention.head_count_kv", s.kv_heads);
  h.U32("gpt-oss.attention.key_length", s.head_dim);
  h.U32("gpt-oss.attention.value_length", s.head_dim);
  h.U32("gpt-oss.attention.sliding_window", s.window);
  h.F32("gpt-oss.attention.layer_norm_rms_epsilon", 1e-5f);
  h.F32("gpt-oss.rope.freq_base", 150000);
  h.Text("gpt-oss.rope.scaling.type", "yarn");
  h.F32("gpt-oss.rope.scaling.factor", 32);
  h.U32("gpt-oss.rope.scaling.original_context_length", 4096);
  h.U32("gpt-oss.vocab_size", s.vocab);
}

std::uint32_t TypeId(Fill fill) { return fill == Fill::kQ8Blocks ? 8 : fill == Fill::kMxfp4Blocks ? 39 : 0; }
std::uint64_t Padded(std::uint64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

Status WriteGguf(const std::filesystem::path& path, const Shape& shape, const std::vector<Tensor>& tensors,
                 const Json& tokenizer, std::uint64_t seed) {
  Header metadata;
  Describe(metadata, shape);
  if (tokenizer.is_null()) {
    metadata.Text("tokenizer.ggml.model", "no_vocab");
  } else {
    GPTOSS_TRY(const Vocabulary vocabulary, ReadVocabulary(tokenizer, shape.vocab));
    metadata.Text("tokenizer.ggml.model", "gpt2");
    metadata.Text("tokenizer.ggml.pre", "gpt-4o");
    metadata.Strings("tokenizer.ggml.tokens", vocabulary.tokens);
    metadata.Integers("tokenizer.ggml.token_type", vocabulary.types);
    metadata.Strings("tokenizer.ggml.merges", vocabulary.merges);
    const auto at = std::ranges::find(vocabulary.tokens, "<|return|>");
    if (at != vocabulary.tokens.end())
      metadata.U32("tokenizer.ggml.eos_token_id", at - vocabulary.tokens.begin());
  }
  Header head;
  head.text() = "GGUF";
  head.Number(std::uint32_t{3});
  head.Number(static_cast<std::uint64_t>(tensors.size()));
  head.Number(metadata.entries());
  head.text() += metadata.text();
  std::uint64_t at = 0;
  for (const Tensor& t : tensors) {
    head.String(t.name);
    head.Number(static_cast<std::uint32_t>(t.shape.size()));
    for (auto it = t.shape.rbegin(); it != t.shape.rend(); ++it) head.Number(static_cast<std::uint64_t>(*it));
    head.Number(TypeId(t.fill));
    head.Number(at);
    at += Padded(t.bytes);
  }
  head.text().resize(Padded(head.text().size()), '\0');
  PartFile file(path);
  file.Write(head.text());
  for (const Tensor& t : tensors) {
    file.Tensor(t, seed);
    file.Write(std::string(Padded(t.bytes) - t.bytes, '\0'));
  }
  return file.Finish();
}

}  // namespace gptoss::synthetic
