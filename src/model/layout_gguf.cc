// llama.cpp's names for gpt-oss (general.architecture "gpt-oss").
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <system_error>
#include <thread>

#include "model/layout.h"

namespace gptoss {

// Every line of memory is read for it. One thread took 1.7 s for the 12 GB of the 20B model (page cache
// warm).
bool HasNanMxfp4Scale(std::span<const std::byte> bytes) {
  constexpr std::size_t kBlock = 17;  // a scale, then 32 values of 4 bits
  constexpr std::size_t kPart = kBlock << 20;
  const auto look = [](std::span<const std::byte> part) {
    for (std::size_t i = 0; i < part.size(); i += kBlock)
      if (part[i] == std::byte{255}) return true;
    return false;
  };
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> found = false;
  const auto work = [&] {
    for (std::size_t at; !found && (at = next.fetch_add(kPart)) < bytes.size();)
      if (look(bytes.subspan(at, std::min(kPart, bytes.size() - at)))) found = true;
  };
  std::vector<std::jthread> others;
  const std::size_t wanted = std::min<std::size_t>(std::thread::hardware_concurrency(), bytes.size() / kPart);
  try {
    for (std::size_t i = 1; i < wanted; ++i) others.emplace_back(work);
  } catch (const std::system_error&) {  // no thread to be had: the others do it
  }
  work();
  others.clear();
  return found;
}

namespace {

// Metadata of one file; the first thing that is wrong is kept.
class Metadata {
 public:
  Metadata(const GgufFile& gguf, std::string_view file) : gguf_(gguf), file_(file) {}

  const GgufValue* Find(std::string_view key) const {
    const auto it = gguf_.metadata.find(key);
    return it == gguf_.metadata.end() ? nullptr : &it->second;
  }
  std::int64_t Integer(const std::string& key, std::optional<std::int64_t> otherwise = {}) {
    const GgufValue* value = Find("gpt-oss." + key);
    if (value == nullptr && otherwise) return *otherwise;
    if (value != nullptr) {
      if (const auto* number = std::get_if<std::int64_t>(&value->value)) return *number;
    }
    Wrong(key, "an integer");
    return 0;
  }
  double Real(const std::string& key, double otherwise) {
    const GgufValue* value = Find("gpt-oss." + key);
    if (value == nullptr) return otherwise;
    if (const auto* number = std::get_if<double>(&value->value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value->value)) return static_cast<double>(*number);
    Wrong(key, "a number");
    return otherwise;
  }
  void Wrong(std::string_view key, std::string_view expected) {
    if (status_) {
      status_ = Fail(ErrorCode::kDataLoss,
                     fmt::format("{}: metadata gpt-oss.{}: expected {}", file_, key, expected));
    }
  }
  const Status& status() const { return status_; }

 private:
  const GgufFile& gguf_;
  std::string_view file_;
  Status status_;
};

Result<ExpertMatrices> Experts(TensorSource& source, const std::string& name, std::int64_t experts,
                               std::int64_t rows, std::int64_t cols) {
  GPTOSS_TRY(const Tensor* tensor, source.Get(name, {experts, rows, cols}, {TensorType::kMxfp4}));
  if (HasNanMxfp4Scale(tensor->bytes)) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{}: tensor {} holds a scale that is NaN: damaged", tensor->file, name));
  }
  ExpertMatrices m;
  m.first = {.format = WeightFormat::kMxfp4Gguf,
             .rows = rows,
             .cols = cols,
             .data = tensor->bytes.data(),
             .scales = nullptr,
             .biases = nullptr,
             .row_stride = RowBytes(WeightFormat::kMxfp4Gguf, cols),
             .scale_stride = 0};
  m.experts = experts;
  m.data_stride = rows * m.first.row_stride;
  return m;
}

Result<LayerWeights> Layer(TensorSource& source, const ModelConfig& c, const std::string& p) {
  LayerWeights layer;
  const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  GPTOSS_TRY(layer.attention_norm, source.Floats(p + "attn_norm.weight", {c.hidden}));
  const bool old_name = !source.Has(p + "post_attention_norm.weight") && source.Has(p + "ffn_norm.weight");
  GPTOSS_TRY(layer.mlp_norm,
             source.Floats(p + (old_name ? "ffn_norm.weight" : "post_attention_norm.weight"), {c.hidden}));
  GPTOSS_TRY(layer.sinks, source.Floats(p + "attn_sinks.weight", {c.heads}));
  GPTOSS_TRY(layer.q, source.Dense(p + "attn_q.weight", q, c.hidden));
  GPTOSS_TRY(layer.k, source.Dense(p + "attn_k.weight", kv, c.hidden));
  GPTOSS_TRY(layer.v, source.Dense(p + "attn_v.weight", kv, c.hidden));
  GPTOSS_TRY(layer.o, source.Dense(p + "attn_output.weight", c.hidden, q));
  GPTOSS_TRY(layer.q_bias, source.Floats(p + "attn_q.bias", {q}));
  GPTOSS_TRY(layer.k_bias, source.Floats(p + "attn_k.bias", {kv}));
  GPTOSS_TRY(layer.v_bias, source.Floats(p + "attn_v.bias", {kv}));
  GPTOSS_TRY(layer.o_bias, source.Floats(p + "attn_output.bias", {c.hidden}));
  GPTOSS_TRY(layer.router, source.Dense(p + "ffn_gate_inp.weight", c.experts, c.hidden));
  GPTOSS_TRY(layer.router_bias, source.Floats(p + "ffn_gate_inp.bias", {c.experts}));
  GPTOSS_TRY(layer.gate, Experts(source, p + "ffn_gate_exps.weight", c.experts, c.expert_width, c.hidden));
  GPTOSS_TRY(layer.up, Experts(source, p + "ffn_up_exps.weight", c.experts, c.expert_width, c.hidden));
  GPTOSS_TRY(layer.down, Experts(source, p + "ffn_down_exps.weight", c.experts, c.hidden, c.expert_width));
  GPTOSS_TRY(layer.gate_bias, source.Floats(p + "ffn_gate_exps.bias", {c.experts, c.expert_width}));
  GPTOSS_TRY(layer.up_bias, source.Floats(p + "ffn_up_exps.bias", {c.experts, c.expert_width}));
  GPTOSS_TRY(layer.down_bias, source.Floats(p + "ffn_down_exps.bias", {c.experts, c.hidden}));
  return layer;
}

}  // namespace

Result<ModelConfig> ModelConfigFromGguf(const GgufFile& gguf, std::string_view file) {
  Metadata m(gguf, file);
  const GgufValue* architecture = m.Find("general.architecture");
  const auto* name = architecture == nullptr ? nullptr : std::get_if<std::string_view>(&architecture->value);
  if (name == nullptr || (*name != "gpt-oss" && *name != "gptoss")) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: general.architecture: expected gpt-oss, found {}", file,
                            name == nullptr ? "nothing" : name->substr(0, 60)));
  }
  ModelConfig c;
  c.layers = m.Integer("block_count");
  c.hidden = m.Integer("embedding_length");
  c.heads = m.Integer("attention.head_count");
  c.kv_heads = m.Integer("attention.head_count_kv");
  c.head_dim = m.Integer("attention.key_length", c.heads > 0 ? c.hidden / c.heads : 0);
  c.experts = m.Integer("expert_count");
  c.experts_per_token = m.Integer("expert_used_count");
  c.expert_width = m.Integer("expert_feed_forward_length", m.Integer("feed_forward_length", 0));
  c.window = m.Integer("attention.sliding_window");
  c.max_context = m.Integer("context_length", 131072);
  c.rms_eps = m.Real("attention.layer_norm_rms_epsilon", 1e-5);
  c.rope.theta = m.Real("rope.freq_base", 150000.0);
  const GgufValue* scaling = m.Find("gpt-oss.rope.scaling.type");
  if (const auto* type = scaling == nullptr ? nullptr : std::get_if<std::string_view>(&scaling->value);
      type != nullptr && *type == "yarn") {
    c.rope.factor = m.Real("rope.scaling.factor", 1.0);
    c.rope.original_context = m.Real("rope.scaling.original_context_length", 4096.0);
    c.rope.beta_fast = m.Real("rope.scaling.yarn_beta_fast", 32.0);
    c.rope.beta_slow = m.Real("rope.scaling.yarn_beta_slow", 1.0);
  }
  if (const auto it = gguf.tensors.find("token_embd.weight");
      it != gguf.tensors.end() && it->second.shape.size() == 2) {
    c.vocab = it->second.shape[0];
  }
  for (const std::string_view key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const GgufValue* value = m.Find(key);
    if (value == nullptr) continue;
    if (const auto* id = std::get_if<std::int64_t>(&value->value)) c.eos_ids.push_back(*id);
  }
  // Files of gpt-oss carry no list of layer types (even layers look through the window); a file that has
  // llama.cpp's general key for it is believed.
  const GgufValue* pattern = m.Find("gpt-oss.attention.sliding_window_pattern");
  const auto* list = pattern == nullptr ? nullptr : std::get_if<std::vector<std::int64_t>>(&pattern->value);
  if (pattern != nullptr && (list == nullptr || static_cast<std::int64_t>(list->size()) != c.layers)) {
    m.Wrong("attention.sliding_window_pattern", "one entry per layer");
    list = nullptr;
  }
  for (std::int64_t i = 0; i < std::min<std::int64_t>(c.layers, 1000); ++i) {
    const bool window = list == nullptr ? i % 2 == 0 : (*list)[static_cast<std::size_t>(i)] != 0;
    c.layer_types.push_back(window ? LayerType::kSlidingWindow : LayerType::kFull);
  }
  if (!m.status()) return std::unexpected(m.status().error());
  GPTOSS_CHECK_OK(ValidateConfig(c, file));
  return c;
}

Status FillFromGguf(const GgufFile& gguf, Model& model) {
  model.layout = "gguf";
  const ModelConfig& c = model.config;
  TensorSource source(gguf.tensors, model.name);
  GPTOSS_TRY(model.embedding, source.Dense("token_embd.weight", c.vocab, c.hidden));
  GPTOSS_TRY(model.unembedding, source.Dense("output.weight", c.vocab, c.hidden));
  GPTOSS_TRY(model.final_norm, source.Floats("output_norm.weight", {c.hidden}));
  for (std::int64_t i = 0; i < c.layers; ++i) {
    GPTOSS_TRY(LayerWeights layer, Layer(source, c, fmt::format("blk.{}.", i)));
    model.layers.push_back(std::move(layer));
  }
  model.weight_bytes = source.used_bytes();
  return {};
}

}  // namespace gptoss
