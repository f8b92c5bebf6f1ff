// config.json (or a GGUF's metadata) of a gpt-oss checkpoint. Honoured, never assumed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace gptoss {

enum class LayerType : std::uint8_t { kSlidingWindow, kFull };

// YaRN: Peng et al., arXiv 2309.00071, with the correction range not rounded unless `truncate` says so.
struct RopeConfig {
  double theta = 150000.0;
  double factor = 1.0;  // 1: plain RoPE
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  double original_context = 4096.0;
  bool truncate = false;
};

struct ModelConfig {
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t experts = 0;
  std::int64_t experts_per_token = 0;
  std::int64_t expert_width = 0;  // intermediate_size
  std::int64_t vocab = 0;
  std::int64_t window = 0;  // keys that a window layer sees, the query's own included
  std::int64_t max_context = 0;
  double rms_eps = 1e-5;
  double swiglu_limit = 7.0;
  double swiglu_alpha = 1.702;
  RopeConfig rope;
  std::vector<LayerType> layer_types;  // `layers` entries
  std::vector<std::int64_t> eos_ids;   // as the file says; the engine forces Harmony's own as well
};

// Errors name the file, the field, what was expected and what was found. Every number is range-checked so
// that products of two of them fit in 63 bits.
Result<ModelConfig> ModelConfigFromJson(const Json& json, std::string_view file);
Status ValidateConfig(const ModelConfig& config, std::string_view file);

}  // namespace gptoss
