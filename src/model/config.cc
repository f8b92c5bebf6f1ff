#include "model/config.h"

#include <fmt/format.h>

#include <cmath>
#include <initializer_list>
#include <optional>

namespace gptoss {
namespace {

// Reads fields of one JSON object and remembers the first thing that was wrong.
class Fields {
 public:
  Fields(const Json& json, std::string_view file) : json_(json), file_(file) {}

  // The first of `names` that is there and not null.
  const Json* Find(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (const auto it = json_.find(name); it != json_.end() && !it->is_null()) return &*it;
    }
    return nullptr;
  }
  std::int64_t Integer(std::initializer_list<const char*> names, std::optional<std::int64_t> otherwise = {}) {
    const Json* value = Find(names);
    if (value == nullptr && otherwise) return *otherwise;
    // Signed range: a number above it would come out negative.
    if (value == nullptr || !value->is_number_integer() ||
        (value->is_number_unsigned() && value->get<std::uint64_t>() > (1ULL << 62))) {
      Wrong(*names.begin(), "an integer", value);
      return 0;
    }
    return value->get<std::int64_t>();
  }
  double Real(std::initializer_list<const char*> names, std::optional<double> otherwise = {}) {
    const Json* value = Find(names);
    if (value == nullptr && otherwise) return *otherwise;
    if (value == nullptr || !value->is_number()) {
      Wrong(*names.begin(), "a number", value);
      return 0;
    }
    return value->get<double>();
  }
  void Wrong(std::string_view field, std::string_view expected, const Json* found) {
    if (!status_) return;
    std::string shown = found == nullptr ? "nothing" : DumpJson(*found);
    if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
    status_ = Fail(ErrorCode::kDataLoss,
                   fmt::format("{}: field {}: expected {}, found {}", file_, field, expected, shown));
  }
  const Status& status() const { return status_; }
  void Absorb(const Status& other) {
    if (status_) status_ = other;
  }

 private:
  const Json& json_;
  std::string_view file_;
  Status status_;
};

RopeConfig ReadRope(const Json& root, Fields& fields, std::string_view file) {
  RopeConfig rope;
  rope.theta = fields.Real({"rope_theta"}, 150000.0);
  const Json* scaling = fields.Find({"rope_scaling", "rope_parameters"});
  if (scaling == nullptr) return rope;
  if (!scaling->is_object()) {
    fields.Wrong("rope_scaling", "an object", scaling);
    return rope;
  }
  Fields inner(*scaling, file);
  rope.theta = inner.Real({"rope_theta"}, rope.theta);
  const Json* type = inner.Find({"rope_type", "type"});
  const std::string name = type == nullptr ? "default" : type->is_string() ? type->get<std::string>() : "";
  if (name == "yarn") {
    rope.factor = inner.Real({"factor"});
    rope.beta_fast = inner.Real({"beta_fast"}, 32.0);
    rope.beta_slow = inner.Real({"beta_slow"}, 1.0);
    rope.original_context =
        inner.Real({"original_max_position_embeddings"}, fields.Real({"initial_context_length"}, 4096.0));
    const Json* truncate = inner.Find({"truncate"});
    rope.truncate = truncate != nullptr && truncate->is_boolean() && truncate->get<bool>();
  } else if (name != "default") {
    inner.Wrong("rope_scaling.rope_type", "yarn or default", type);
  }
  (void)root;
  fields.Absorb(inner.status());
  return rope;
}

void ReadLayerTypes(Fields& fields, ModelConfig& config) {
  const Json* types = fields.Find({"layer_types"});
  if (types == nullptr) {  // gpt-oss' own pattern: even layers look through the window
    for (std::int64_t i = 0; i < config.layers; ++i) {
      config.layer_types.push_back(i % 2 == 0 ? LayerType::kSlidingWindow : LayerType::kFull);
    }
    return;
  }
  if (!types->is_array() || static_cast<std::int64_t>(types->size()) != config.layers) {
    fields.Wrong("layer_types", fmt::format("an array of {} names", config.layers), types);
    return;
  }
  for (const Json& type : *types) {
    if (type == "sliding_attention") {
      config.layer_types.push_back(LayerType::kSlidingWindow);
    } else if (type == "full_attention") {
      config.layer_types.push_back(LayerType::kFull);
    } else {
      fields.Wrong("layer_types", "sliding_attention or full_attention", &type);
    }
  }
}

void ReadEosIds(Fields& fields, ModelConfig& config) {
  const Json* eos = fields.Find({"eos_token_id"});
  if (eos == nullptr) return;
  for (const Json& id : eos->is_array() ? *eos : Json::array({*eos})) {
    if (id.is_number_integer()) {
      config.eos_ids.push_back(id.get<std::int64_t>());
    } else {
      fields.Wrong("eos_token_id", "an integer or a list of them", eos);
    }
  }
}

// What the forward pass does not do is refused here: such weights would load and answer nonsense.
void RefuseOtherModels(Fields& fields) {
  if (const Json* act = fields.Find({"hidden_act"}); act != nullptr && *act != "silu")
    fields.Wrong("hidden_act", "\"silu\"", act);
  if (const Json* tied = fields.Find({"tie_word_embeddings"}); tied != nullptr && *tied != false)
    fields.Wrong("tie_word_embeddings", "false (the output matrix is one of its own)", tied);
}

}  // namespace

Result<ModelConfig> ModelConfigFromJson(const Json& json, std::string_view file) {
  if (!json.is_object()) return Fail(ErrorCode::kDataLoss, fmt::format("{}: not a JSON object", file));
  Fields fields(json, file);
  if (const Json* type = fields.Find({"model_type"}); type == nullptr || *type != "gpt_oss") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: field model_type: expected \"gpt_oss\", found {}", file,
                            type == nullptr ? "nothing" : DumpJson(*type).substr(0, 60)));
  }
  ModelConfig config;
  config.layers = fields.Integer({"num_hidden_layers"});
  config.hidden = fields.Integer({"hidden_size"});
  config.heads = fields.Integer({"num_attention_heads"});
  config.kv_heads = fields.Integer({"num_key_value_heads"});
  config.head_dim = fields.Integer({"head_dim"}, config.heads > 0 ? config.hidden / config.heads : 0);
  config.experts = fields.Integer({"num_local_experts", "num_experts"});
  config.experts_per_token = fields.Integer({"num_experts_per_tok", "experts_per_token"});
  config.expert_width = fields.Integer({"intermediate_size"});
  config.vocab = fields.Integer({"vocab_size"});
  config.window = fields.Integer({"sliding_window"});
  config.max_context = fields.Integer({"max_position_embeddings"}, 131072);
  config.rms_eps = fields.Real({"rms_norm_eps"}, 1e-5);
  config.swiglu_limit = fields.Real({"swiglu_limit"}, 7.0);
  config.rope = ReadRope(json, fields, file);
  // The list of layer types is built only for a sane number of layers.
  if (fields.status() && config.layers >= 1 && config.layers <= 1000) ReadLayerTypes(fields, config);
  ReadEosIds(fields, config);
  RefuseOtherModels(fields);
  if (!fields.status()) return std::unexpected(fields.status().error());
  GPTOSS_CHECK_OK(ValidateConfig(config, file));
  return config;
}

Status ValidateConfig(const ModelConfig& c, std::string_view file) {
  const struct {
    const char* name;
    std::int64_t value, low, high, multiple;
  } ranges[] = {{"num_hidden_layers", c.layers, 1, 1000, 1},
                {"hidden_size", c.hidden, 32, 1 << 20, 32},
                {"num_attention_heads", c.heads, 1, 4096, 1},
                {"num_key_value_heads", c.kv_heads, 1, 4096, 1},
                {"head_dim", c.head_dim, 16, 512, 16},
                {"num_local_experts", c.experts, 1, 4096, 1},
                {"num_experts_per_tok", c.experts_per_token, 1, 64, 1},
                {"intermediate_size", c.expert_width, 32, 1 << 20, 32},
                {"vocab_size", c.vocab, 1, 1 << 24, 1},
                {"sliding_window", c.window, 1, 1 << 20, 1},
                {"max_position_embeddings", c.max_context, 1, 1 << 24, 1}};
  for (const auto& r : ranges) {
    if (r.value < r.low || r.value > r.high || r.value % r.multiple != 0) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{}: field {}: expected {}..{}{}, found {}", file, r.name, r.low, r.high,
                              r.multiple > 1 ? fmt::format(" in steps of {}", r.multiple) : "", r.value));
    }
  }
  const auto wrong = [&](std::string_view what) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{}: {}", file, what));
  };
  if (c.heads % c.kv_heads != 0) {
    return wrong(
        fmt::format("{} attention heads cannot share {} key-value heads evenly", c.heads, c.kv_heads));
  }
  if (c.experts_per_token > c.experts) {
    return wrong(
        fmt::format("num_experts_per_tok is {}, but there are {} experts", c.experts_per_token, c.experts));
  }
  if (static_cast<std::int64_t>(c.layer_types.size()) != c.layers)
    return wrong("layer_types does not name every layer");
  const auto positive = [](double x) { return std::isfinite(x) && x > 0; };
  if (!positive(c.rms_eps) || !positive(c.swiglu_limit) || !positive(c.rope.theta) || c.rope.theta <= 1 ||
      !positive(c.rope.factor) || !positive(c.rope.beta_fast) || !positive(c.rope.beta_slow) ||
      !positive(c.rope.original_context)) {
    return wrong("rms_norm_eps, swiglu_limit and the rope parameters have to be positive numbers");
  }
  return {};
}

}  // namespace gptoss
