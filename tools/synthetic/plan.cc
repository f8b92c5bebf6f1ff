#include "synthetic/plan.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace gptoss::synthetic {
namespace {

using Dimensions = std::vector<std::int64_t>;

// FNV-1a: a stream of its own for every module, the same in every layout.
std::uint64_t StreamOf(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

class Plan {
 public:
  explicit Plan(const Shape& shape) : s_(shape) {}

  void Add(std::string name, Dimensions shape, Fill fill, double deviation, double mean = 0,
           const std::string& module = "") {
    Tensor t{.name = std::move(name), .shape = std::move(shape), .fill = fill};
    t.mean = mean, t.deviation = deviation;
    t.stream = StreamOf(module.empty() ? t.name : module);
    std::int64_t count = 1;
    for (const std::int64_t d : t.shape) count *= d;
    t.bytes = static_cast<std::uint64_t>(Bytes(fill, count));
    tensors_.push_back(std::move(t));
  }

  // The deviation that keeps a unit vector's product near `gain`.
  static double For(std::int64_t columns, double gain = 1) {
    return gain / std::sqrt(static_cast<double>(columns));
  }

  std::vector<Tensor> Take() { return std::move(tensors_); }
  const Shape& shape() const { return s_; }

 private:
  static std::int64_t Bytes(Fill fill, std::int64_t count) {
    switch (fill) {
      case Fill::kF32:
        return count * 4;
      case Fill::kMxfp4Blocks:
        return count / 32 * 17;
      case Fill::kQ8Blocks:
        return count / 32 * 34;
      case Fill::kMxfp4Codes:  // both are stored with a wider type, see their shapes
      case Fill::kMxfp4Scales:
      case Fill::kAffineCodes:
        return count;
      default:
        return count * 2;
    }
  }

  Shape s_;
  std::vector<Tensor> tensors_;
};

constexpr double kBias = 0.05, kNormSpread = 0.1, kRouterGain = 1.5, kHeadGain = 3;

class Safetensors : public Plan {
 public:
  Safetensors(const Shape& shape, bool mlx) : Plan(shape), mlx_(mlx) {
    const Shape& s = this->shape();
    Linear("model.embed_tokens", s.vocab, s.hidden, 1, false);
    for (std::int64_t i = 0; i < s.layers; ++i) Layer(fmt::format("model.layers.{}.", i));
    Norm("model.norm");
    Linear("lm_head", s.vocab, s.hidden, For(s.hidden, kHeadGain), false);
  }

 private:
  void Norm(const std::string& name) { Add(name + ".weight", {shape().hidden}, Fill::kBf16, kNormSpread, 1); }
  void Linear(const std::string& name, std::int64_t rows, std::int64_t columns, double deviation, bool bias) {
    if (mlx_) {
      Add(name + ".weight", {rows, columns}, Fill::kAffineCodes, deviation, 0, name + ".codes");
      Add(name + ".scales", {rows, columns / 64}, Fill::kAffineScales, deviation, 0, name);
      Add(name + ".biases", {rows, columns / 64}, Fill::kAffineBiases, deviation, 0, name);
    } else {
      Add(name + ".weight", {rows, columns}, Fill::kBf16, deviation);
    }
    if (bias) Add(name + ".bias", {rows}, Fill::kBf16, kBias);
  }
  void Expert(const std::string& name, std::int64_t rows, std::int64_t columns) {
    const std::int64_t e = shape().experts;
    const std::string data = mlx_ ? ".weight" : "_blocks", scales = mlx_ ? ".scales" : "_scales";
    const Dimensions blocks = mlx_ ? Dimensions{e, rows, columns / 2} : Dimensions{e, rows, columns / 32, 16};
    Add(name + data, blocks, Fill::kMxfp4Codes, For(columns), 0, name + ".codes");
    Add(name + scales, {e, rows, columns / 32}, Fill::kMxfp4Scales, For(columns), 0, name);
    Add(name + (mlx_ ? ".bias" : "_bias"), {e, rows}, Fill::kBf16, kBias);
  }
  void Layer(const std::string& p) {
    const Shape& s = shape();
    const std::int64_t q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
    Norm(p + "input_layernorm");
    Linear(p + "self_attn.q_proj", q, s.hidden, For(s.hidden), true);
    Linear(p + "self_attn.k_proj", kv, s.hidden, For(s.hidden), true);
    Linear(p + "self_attn.v_proj", kv, s.hidden, For(s.hidden), true);
    Linear(p + "self_attn.o_proj", s.hidden, q, For(q), true);
    Add(p + "self_attn.sinks", {s.heads}, Fill::kBf16, 1);
    Norm(p + "post_attention_layernorm");
    Linear(p + "mlp.router", s.experts, s.hidden, For(s.hidden, kRouterGain), true);
    const std::string e = p + "mlp.experts.";
    if (mlx_) {
      Expert(e + "gate_proj", s.expert_width, s.hidden);
      Expert(e + "up_proj", s.expert_width, s.hidden);
    } else {
      Expert(e + "gate_up_proj", 2 * s.expert_width, s.hidden);
    }
    Expert(e + "down_proj", s.hidden, s.expert_width);
  }

  bool mlx_;
};

class Gguf : public Plan {
 public:
  explicit Gguf(const Shape& shape) : Plan(shape) {
    const Shape& s = this->shape();
    Add("token_embd.weight", {s.vocab, s.hidden}, Fill::kQ8Blocks, 1);
    for (std::int64_t i = 0; i < s.layers; ++i) Layer(fmt::format("blk.{}.", i));
    Add("output_norm.weight", {s.hidden}, Fill::kF32, kNormSpread, 1);
    Add("output.weight", {s.vocab, s.hidden}, Fill::kQ8Blocks, For(s.hidden, kHeadGain));
  }

 private:
  void Linear(const std::string& name, std::int64_t rows, std::int64_t columns) {
    Add(name + ".weight", {rows, columns}, Fill::kQ8Blocks, For(columns));
    Add(name + ".bias", {rows}, Fill::kF32, kBias);
  }
  void Expert(const std::string& name, std::int64_t rows, std::int64_t columns) {
    Add(name + ".weight", {shape().experts, rows, columns}, Fill::kMxfp4Blocks, For(columns));
    Add(name + ".bias", {shape().experts, rows}, Fill::kF32, kBias);
  }
  void Layer(const std::string& p) {
    const Shape& s = shape();
    const std::int64_t q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
    Add(p + "attn_norm.weight", {s.hidden}, Fill::kF32, kNormSpread, 1);
    Linear(p + "attn_q", q, s.hidden);
    Linear(p + "attn_k", kv, s.hidden);
    Linear(p + "attn_v", kv, s.hidden);
    Linear(p + "attn_output", s.hidden, q);
    Add(p + "attn_sinks.weight", {s.heads}, Fill::kF32, 1);
    Add(p + "post_attention_norm.weight", {s.hidden}, Fill::kF32, kNormSpread, 1);
    Add(p + "ffn_gate_inp.weight", {s.experts, s.hidden}, Fill::kF32, For(s.hidden, kRouterGain));
    Add(p + "ffn_gate_inp.bias", {s.experts}, Fill::kF32, kBias);
    Expert(p + "ffn_gate_exps", s.expert_width, s.hidden);
    Expert(p + "ffn_up_exps", s.expert_width, s.hidden);
    Expert(p + "ffn_down_exps", s.hidden, s.expert_width);
  }
};

// The default describes the experts; every other module has an entry of its own.
Json Quantization(const Shape& s) {
  Json q = {{"group_size", 32}, {"bits", 4}, {"mode", "mxfp4"}};
  const Json affine = {{"group_size", 64}, {"bits", 8}};
  q["model.embed_tokens"] = q["lm_head"] = affine;
  for (std::int64_t i = 0; i < s.layers; ++i) {
    for (const char* name :
         {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.router"}) {
      q[fmt::format("model.layers.{}.{}", i, name)] = affine;
    }
  }
  return q;
}

}  // namespace

std::vector<Tensor> MlxTensors(const Shape& shape) { return Safetensors(shape, true).Take(); }
std::vector<Tensor> OpenAiTensors(const Shape& shape) { return Safetensors(shape, false).Take(); }
std::vector<Tensor> GgufTensors(const Shape& shape) { return Gguf(shape).Take(); }

Json Config(const Shape& s, bool mlx) {
  Json types = Json::array();
  for (std::int64_t i = 0; i < s.layers; ++i)
    types.push_back(i % 2 == 0 ? "sliding_attention" : "full_attention");
  Json config = {
      {"architectures", {"GptOssForCausalLM"}},
      {"model_type", "gpt_oss"},
      {"num_hidden_layers", s.layers},
      {"hidden_size", s.hidden},
      {"num_attention_heads", s.heads},
      {"num_key_value_heads", s.kv_heads},
      {"head_dim", s.head_dim},
      {"num_local_experts", s.experts},
      {"num_experts_per_tok", s.experts_per_token},
      {"intermediate_size", s.expert_width},
      {"vocab_size", s.vocab},
      {"sliding_window", s.window},
      {"max_position_embeddings", s.max_context},
      {"initial_context_length", 4096},
      {"rms_norm_eps", 1e-5},
      {"swiglu_limit", 7.0},
      {"rope_theta", 150000},
      {"rope_scaling",
       {{"rope_type", "yarn"},
        {"factor", 32.0},
        {"beta_fast", 32.0},
        {"beta_slow", 1.0},
        {"original_max_position_embeddings", 4096},
        {"truncate", false}}},
      {"layer_types", std::move(types)},
      {"attention_bias", true},
      {"tie_word_embeddings", false},
      {"eos_token_id", 200002},
      {"torch_dtype", "bfloat16"},
  };
  if (mlx) {
    config["quantization"] = config["quantization_config"] = Quantization(s);
  } else {
    config["quantization_config"] = {{"quant_method", "mxfp4"}};
  }
  return config;
}

}  // namespace gptoss::synthetic
