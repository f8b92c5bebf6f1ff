// What a synthetic checkpoint consists of: named tensors, their shapes, and how each is filled.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace gptoss::synthetic {

// gpt-oss-20b unless told otherwise.
struct Shape {
  std::int64_t layers = 24, hidden = 2880, heads = 64, kv_heads = 8, head_dim = 64;
  std::int64_t experts = 32, experts_per_token = 4, expert_width = 2880;
  std::int64_t vocab = 201088, window = 128, max_context = 131072;
};

// What one element is, how it is stored and where its randomness comes from.
enum class Fill : std::uint8_t {
  kBf16,         // normal
  kF32,          // normal
  kMxfp4Codes,   // two per byte
  kMxfp4Scales,  // E8M0
  kMxfp4Blocks,  // GGUF: scale and 16 bytes per 32
  kQ8Blocks,     // GGUF: F16 scale and 32 bytes per 32
  kAffineCodes,  // u8
  kAffineScales,
  kAffineBiases,
};

struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;  // as the file says it, outermost first
  Fill fill = Fill::kBf16;
  double mean = 0, deviation = 0;  // of the elements that it stands for
  std::uint64_t stream = 0;        // tensors of one module share it, so that a scale meets its bias
  std::uint64_t bytes = 0;
};

std::vector<Tensor> MlxTensors(const Shape& shape);
std::vector<Tensor> OpenAiTensors(const Shape& shape);
std::vector<Tensor> GgufTensors(const Shape& shape);

// config.json of either safetensors layout.
Json Config(const Shape& shape, bool mlx);

}  // namespace gptoss::synthetic
