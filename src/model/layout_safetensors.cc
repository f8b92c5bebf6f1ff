// OpenAI's layout and MLX' layout of gpt-oss in safetensors.
#include <fmt/format.h>

#include "model/layout.h"

namespace gptoss {
namespace {

struct Quantization {
  std::int64_t group = 64, bits = 8;
  std::string mode = "affine";
};

class Loader {
 public:
  Loader(const TensorMap& tensors, const Json& config, Model& model)
      : source_(tensors, model.name), config_(config), model_(model), c_(model.config) {}

  Status Run() {
    model_.layout = source_.Has("model.layers.0.mlp.experts.gate_up_proj_blocks") ? "openai" : "mlx";
    if (model_.layout == "mlx" && !source_.Has("model.layers.0.mlp.experts.gate_proj.weight")) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: neither OpenAI's (experts.gate_up_proj_blocks) nor MLX' layout "
                              "(experts.gate_proj.weight) of gpt-oss",
                              model_.name));
    }
    GPTOSS_TRY(model_.embedding, Linear("model.embed_tokens", c_.vocab, c_.hidden));
    GPTOSS_TRY(model_.unembedding, Linear("lm_head", c_.vocab, c_.hidden));
    GPTOSS_TRY(model_.final_norm, source_.Floats("model.norm.weight", {c_.hidden}));
    for (std::int64_t i = 0; i < c_.layers; ++i) {
      GPTOSS_TRY(LayerWeights layer, Layer(fmt::format("model.layers.{}.", i)));
      model_.layers.push_back(std::move(layer));
    }
    model_.weight_bytes = source_.used_bytes();
    return {};
  }

 private:
  Result<LayerWeights> Layer(const std::string& p) {
    LayerWeights layer;
    const std::int64_t q = c_.heads * c_.head_dim, kv = c_.kv_heads * c_.head_dim;
    const std::string a = p + "self_attn.";
    GPTOSS_TRY(layer.attention_norm, source_.Floats(p + "input_layernorm.weight", {c_.hidden}));
    GPTOSS_TRY(layer.mlp_norm, source_.Floats(p + "post_attention_layernorm.weight", {c_.hidden}));
    GPTOSS_TRY(layer.sinks, source_.Floats(a + "sinks", {c_.heads}));
    GPTOSS_TRY(layer.q, Linear(a + "q_proj", q, c_.hidden));
    GPTOSS_TRY(layer.k, Linear(a + "k_proj", kv, c_.hidden));
    GPTOSS_TRY(layer.v, Linear(a + "v_proj", kv, c_.hidden));
    GPTOSS_TRY(layer.o, Linear(a + "o_proj", c_.hidden, q));
    GPTOSS_TRY(layer.q_bias, source_.Floats(a + "q_proj.bias", {q}));
    GPTOSS_TRY(layer.k_bias, source_.Floats(a + "k_proj.bias", {kv}));
    GPTOSS_TRY(layer.v_bias, source_.Floats(a + "v_proj.bias", {kv}));
    GPTOSS_TRY(layer.o_bias, source_.Floats(a + "o_proj.bias", {c_.hidden}));
    GPTOSS_TRY(layer.router, Linear(p + "mlp.router", c_.experts, c_.hidden));
    GPTOSS_TRY(layer.router_bias, source_.Floats(p + "mlp.router.bias", {c_.experts}));
    GPTOSS_CHECK_OK(model_.layout == "openai" ? OpenAiExperts(p + "mlp.experts.", layer)
                                              : MlxExperts(p + "mlp.experts.", layer));
    return layer;
  }

  // Blocks [E, rows, K/32, 16], scales [E, rows, K/32].
  Result<ExpertMatrices> Blocks(const std::string& name, std::int64_t rows, std::int64_t cols) {
    if (cols % 32 != 0)
      return Fail(ErrorCode::kUnsupported, fmt::format("{}: {} columns are no multiple of 32", name, cols));
    GPTOSS_TRY(const Tensor* data,
               source_.Get(name + "_blocks", {c_.experts, rows, cols / 32, 16}, {TensorType::kU8}));
    GPTOSS_TRY(const Tensor* scales,
               source_.Get(name + "_scales", {c_.experts, rows, cols / 32}, {TensorType::kU8}));
    GPTOSS_CHECK_OK(CheckE8m0Scales(*scales));
    return Split(*data, *scales, rows, cols);
  }

  ExpertMatrices Split(const Tensor& data, const Tensor& scales, std::int64_t rows, std::int64_t cols) const {
    ExpertMatrices m;
    m.first = {.format = WeightFormat::kMxfp4Split,
               .rows = rows,
               .cols = cols,
               .data = data.bytes.data(),
               .scales = scales.bytes.data(),
               .biases = nullptr,
               .row_stride = cols / 2,
               .scale_stride = cols / 32};
    m.experts = c_.experts;
    m.data_stride = rows * cols / 2;
    m.scale_stride = rows * cols / 32;
    return m;
  }

  Status OpenAiExperts(const std::string& p, LayerWeights& layer) {
    const std::int64_t width = c_.expert_width;
    GPTOSS_TRY(const ExpertMatrices both, Blocks(p + "gate_up_proj", 2 * width, c_.hidden));
    // Gate rows are the even ones, up rows the odd ones: two views with twice the stride.
    layer.gate = both;
    layer.gate.first.rows = width;
    layer.gate.first.row_stride *= 2;
    layer.gate.first.scale_stride *= 2;
    layer.up = layer.gate;
    layer.up.first.data += both.first.row_stride;
    layer.up.first.scales += both.first.scale_stride;
    GPTOSS_TRY(layer.down, Blocks(p + "down_proj", c_.hidden, width));
    GPTOSS_TRY(const std::vector<float> bias,
               source_.Floats(p + "gate_up_proj_bias", {c_.experts, 2 * width}));
    for (std::size_t i = 0; i < bias.size(); i += 2) {
      layer.gate_bias.push_back(bias[i]);
      layer.up_bias.push_back(bias[i + 1]);
    }
    GPTOSS_TRY(layer.down_bias, source_.Floats(p + "down_proj_bias", {c_.experts, c_.hidden}));
    return {};
  }

  Result<ExpertMatrices> MlxExpert(const std::string& name, std::int64_t rows, std::int64_t cols) {
    GPTOSS_TRY(const Quantization quantization, QuantizationOf(name));
    if (quantization.mode != "mxfp4" || quantization.bits != 4 || quantization.group != 32 ||
        cols % 32 != 0) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: module {} is quantized as {} with {} bits in groups of {}; experts have "
                              "to be mxfp4, 4 bits, "
                              "groups of 32",
                              model_.name, name, quantization.mode, quantization.bits, quantization.group));
    }
    GPTOSS_TRY(const Tensor* data,
               source_.Get(name + ".weight", {c_.experts, rows, cols / 8}, {TensorType::kU32}));
    GPTOSS_TRY(const Tensor* scales,
               source_.Get(name + ".scales", {c_.experts, rows, cols / 32}, {TensorType::kU8}));
    GPTOSS_CHECK_OK(CheckE8m0Scales(*scales));
    return Split(*data, *scales, rows, cols);
  }

  Status MlxExperts(const std::string& p, LayerWeights& layer) {
    const std::int64_t width = c_.expert_width;
    GPTOSS_TRY(layer.gate, MlxExpert(p + "gate_proj", width, c_.hidden));
    GPTOSS_TRY(layer.up, MlxExpert(p + "up_proj", width, c_.hidden));
    GPTOSS_TRY(layer.down, MlxExpert(p + "down_proj", c_.hidden, width));
    GPTOSS_TRY(layer.gate_bias, source_.Floats(p + "gate_proj.bias", {c_.experts, width}));
    GPTOSS_TRY(layer.up_bias, source_.Floats(p + "up_proj.bias", {c_.experts, width}));
    GPTOSS_TRY(layer.down_bias, source_.Floats(p + "down_proj.bias", {c_.experts, c_.hidden}));
    return {};
  }

  // `quantization` has the default and one entry per module that differs (mlx-lm's rule).
  Result<Quantization> QuantizationOf(const std::string& module) const {
    Quantization result;
    auto it = config_.find("quantization");
    if (it == config_.end() || !it->is_object()) it = config_.find("quantization_config");
    const auto bad = [&] {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{}: config.json: quantization of {} is no description with group_size and "
                              "bits",
                              model_.name, module));
    };
    if (it == config_.end() || !it->is_object()) return bad();
    const auto read = [&](const Json& from) {
      const auto integer = [&](const char* name, std::int64_t& to) {
        if (const auto f = from.find(name); f != from.end()) {
          if (!f->is_number_integer()) return false;
          to = f->get<std::int64_t>();
        }
        return true;
      };
      const auto mode = from.find("mode");
      if (mode != from.end() && mode->is_string()) result.mode = mode->get<std::string>();
      return integer("group_size", result.group) && integer("bits", result.bits);
    };
    const auto own = it->find(module);
    if (own != it->end() && own->is_object()) {
      // An entry without a mode means affine, whatever the default is: so mlx-lm writes them.
      return read(*own) ? Result<Quantization>(result) : bad();
    }
    return read(*it) ? Result<Quantization>(result) : bad();
  }

  // `name`.weight as it is, or affine 8-bit if it has scales.
  Result<MatrixView> Linear(const std::string& name, std::int64_t rows, std::int64_t cols) {
    if (!source_.Has(name + ".scales")) return source_.Dense(name + ".weight", rows, cols);
    GPTOSS_TRY(const Quantization quantization, QuantizationOf(name));
    if (quantization.mode != "affine" || quantization.bits != 8 || quantization.group != 64 ||
        cols % 64 != 0) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: module {} is quantized as {} with {} bits in groups of {}; affine, 8 "
                              "bits, groups of 64 is "
                              "supported",
                              model_.name, name, quantization.mode, quantization.bits, quantization.group));
    }
    GPTOSS_TRY(const Tensor* data, source_.Get(name + ".weight", {rows, cols / 4}, {TensorType::kU32}));
    GPTOSS_TRY(const Tensor* scales, source_.Get(name + ".scales", {rows, cols / 64}, {TensorType::kBF16}));
    GPTOSS_TRY(const Tensor* biases, source_.Get(name + ".biases", {rows, cols / 64}, {TensorType::kBF16}));
    return MatrixView{.format = WeightFormat::kAffine8,
                      .rows = rows,
                      .cols = cols,
                      .data = data->bytes.data(),
                      .scales = scales->bytes.data(),
                      .biases = biases->bytes.data(),
                      .row_stride = cols,
                      .scale_stride = cols / 64 * 2};
  }

  TensorSource source_;
  const Json& config_;
  Model& model_;
  const ModelConfig& c_;
};

}  // namespace

Status FillFromSafetensors(const TensorMap& tensors, const Json& config, Model& model) {
  return Loader(tensors, config, model).Run();
}

}  // namespace gptoss
