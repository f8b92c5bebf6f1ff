// The arithmetic of the forward pass, one coarse function per job, one set per instruction set.
//
// Invariance: the result for one (weight row, activation row) does not depend on which other rows are
// computed with it. Every set adds the blocks of a row in the order of the columns.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/weights.h"
#include "platform/cpu_features.h"

namespace gptoss {

// Rows of activations, as floats and, for the integer kernels, as 8-bit codes per block of 32 columns:
// x ≈ codes · scales[block]. `sums[block]` = scales[block] · Σ codes, which an affine weight's bias
// multiplies.
struct ActivationRows {
  std::int64_t cols = 0;
  const float* x = nullptr;            // [rows, cols]
  const std::int8_t* codes = nullptr;  // [rows, cols]
  const float* scales = nullptr;       // [rows, cols / 32]
  const float* sums = nullptr;         // [rows, cols / 32]
};

// out[j · out_stride + r] = bias[r] + Σ weights[r, :] · activations[index[j], :]
// for r in [row_begin, row_end) and j in [0, count).
struct MatMulJob {
  MatrixView weights;
  std::int64_t row_begin = 0, row_end = 0;
  const std::int32_t* index = nullptr;  // null: 0, 1, 2 …
  std::int64_t count = 0;
  const float* bias = nullptr;  // [rows]; null: none
  float* out = nullptr;
  std::int64_t out_stride = 0;
};

// Consecutive positions of one key-value head: [count, head_dim], BF16 or F32.
struct KvSegment {
  const std::byte* keys = nullptr;
  const std::byte* values = nullptr;
  std::int64_t count = 0;
};

// The query heads of one row that share a key-value head, over segments from oldest to newest.
struct AttendJob {
  const float* queries = nullptr;  // [heads, head_dim], rotated
  std::int64_t heads = 0, head_dim = 0;
  std::span<const KvSegment> segments;
  bool f32 = false;              // else BF16
  const float* sinks = nullptr;  // [heads]
  float scale = 0;
  float* scores = nullptr;  // scratch: heads · (sum of counts)
  float* out = nullptr;     // [heads, head_dim]
};

struct KernelSet {
  const char* name;
  bool (*usable)(const CpuFeatures& cpu);
  // One row of `cols` (a multiple of 32) floats: symmetric, round to nearest even, largest magnitude -> 127.
  // A block that holds a NaN or an infinity gets the scale NaN; one without magnitudes above 1e-30, zero.
  void (*quantize)(const float* x, std::int64_t cols, std::int8_t* codes, float* scales, float* sums);
  void (*matmul_int8)(const MatMulJob& job, const ActivationRows& rows);   // quantized weight formats only
  void (*matmul_float)(const MatMulJob& job, const ActivationRows& rows);  // every weight format
  void (*attend)(const AttendJob& job);
};

// Every set that this build has and this CPU can run, slowest first; the last one is the default.
std::vector<const KernelSet*> UsableKernels();
const KernelSet* FindKernels(std::string_view name);  // null: unknown here or not usable

// True if matmul_int8 can read the format.
constexpr bool HasIntegerKernel(WeightFormat format) {
  return format != WeightFormat::kF32 && format != WeightFormat::kF16 && format != WeightFormat::kBF16;
}

}  // namespace gptoss
