// Typed views of weights, the same for every file layout. Nothing is copied but small vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "model/config.h"

namespace gptoss {

// How the elements of a row lie in memory. Little endian throughout.
enum class WeightFormat : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kAffine8,     // w = scale · q + bias per group of 64: `data` u8 codes, `scales` and `biases` BF16 [cols/64]
  kQ8_0,        // GGUF blocks of 34 bytes: F16 scale, 32 × i8
  kMxfp4Split,  // per 32: 16 bytes in `data`, byte i = elements 2i (low nibble), 2i+1; one E8M0 byte in
                // `scales`
  kMxfp4Gguf,   // GGUF blocks of 17 bytes in `data`: E8M0 scale, then byte i = elements i (low nibble), i+16
};
std::string_view WeightFormatName(WeightFormat format);
// Bytes of one row of `cols` elements in `data`. Precondition: cols is a multiple of the format's group.
std::int64_t RowBytes(WeightFormat format, std::int64_t cols);
std::int64_t GroupSize(WeightFormat format);  // 64, 32 or 1

// A matrix of `rows` × `cols` for y = W·x (one row per output). A view: the Model owns the bytes.
// Row r: data + r·row_stride; its scales: scales + r·scale_stride; biases + r·scale_stride. Strides may skip
// rows (OpenAI's gate and up rows are interleaved: gate is every other row). No alignment is promised.
struct MatrixView {
  WeightFormat format = WeightFormat::kF32;
  std::int64_t rows = 0, cols = 0;
  const std::byte* data = nullptr;
  const std::byte* scales = nullptr;  // kAffine8: BF16; kMxfp4Split: E8M0
  const std::byte* biases = nullptr;  // kAffine8
  std::int64_t row_stride = 0;        // bytes
  std::int64_t scale_stride = 0;      // bytes
};

// The same matrix of every expert.
struct ExpertMatrices {
  MatrixView first;
  std::int64_t experts = 0;
  std::int64_t data_stride = 0;   // bytes from one expert to the next
  std::int64_t scale_stride = 0;  // bytes
  MatrixView of(std::int64_t expert) const {
    MatrixView view = first;
    view.data += expert * data_stride;
    if (view.scales != nullptr) view.scales += expert * scale_stride;
    if (view.biases != nullptr) view.biases += expert * scale_stride;
    return view;
  }
};

struct LayerWeights {
  std::vector<float> attention_norm;  // [hidden]
  MatrixView q, k, v, o;              // [heads·head_dim, hidden], …, o [hidden, heads·head_dim]
  std::vector<float> q_bias, k_bias, v_bias, o_bias;
  std::vector<float> sinks;               // [heads]
  std::vector<float> mlp_norm;            // [hidden]
  MatrixView router;                      // [experts, hidden]
  std::vector<float> router_bias;         // [experts]
  ExpertMatrices gate, up;                // [expert_width, hidden]
  ExpertMatrices down;                    // [hidden, expert_width]
  std::vector<float> gate_bias, up_bias;  // [experts · expert_width]
  std::vector<float> down_bias;           // [experts · hidden]
};

// A loaded checkpoint: immutable, shared between threads. Views live as long as it does.
struct Model {
  ModelConfig config;
  std::string layout;             // "openai", "mlx", "gguf"
  std::string name;               // for people: path or "embedded demo"
  MatrixView embedding;           // [vocab, hidden]
  MatrixView unembedding;         // [vocab, hidden]
  std::vector<float> final_norm;  // [hidden]
  std::vector<LayerWeights> layers;
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::uint64_t weight_bytes = 0;  // of all tensors used
};

// Element-wise decoding of one row, exact in double; for the reference, tests and inspect. `out`: cols
// values.
void DecodeRow(const MatrixView& matrix, std::int64_t row, double* out);

}  // namespace gptoss
