// The arithmetic of the forward pass, one coarse function per job, one set per instruction set.
//
// Invariance: the result for one (weight row, activation row) does not depend on which other rows are
// computed with it. Every set adds the blocks of a row in the order of the columns, and attends in blocks of
// positions whose borders do not depend on the batch.
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

// How keys and values are kept. kI8: codes and, per group of KvGroup() dimensions, a BF16 scale.
enum class KvFormat : std::uint8_t { kF32, kBF16, kI8 };

// Keys and values of one head are kept in blocks of kKvBlock positions that start at its multiples. Keys lie
// [head_dim, kKvBlock], so that one dimension of many keys is one load; values lie [kKvBlock, head_dim]. In
// kI8 the scales follow the codes: [head_dim / group, kKvBlock] of keys, [kKvBlock, head_dim / group] of
// values.
inline constexpr std::int64_t kKvBlock = 64;
constexpr std::int64_t KvGroup(std::int64_t head_dim) { return head_dim % 32 == 0 ? 32 : 16; }
// Bytes of a block's keys, which are also those of its values.
constexpr std::int64_t KvHalfBytes(KvFormat format, std::int64_t head_dim) {
  switch (format) {
    case KvFormat::kF32:
      return 4 * kKvBlock * head_dim;
    case KvFormat::kBF16:
      return 2 * kKvBlock * head_dim;
    default:
      return kKvBlock * (head_dim + 2 * (head_dim / KvGroup(head_dim)));
  }
}
struct KvBlock {
  const std::byte* keys = nullptr;
  const std::byte* values = nullptr;
};

// Rows at consecutive positions of one sequence, their query heads that share a key-value head. Queries and
// results: row r, head h at r · row_stride + h · head_dim floats.
struct AttendJob {
  const float* queries = nullptr;  // rotated
  std::int64_t rows = 0, heads = 0, head_dim = 0, row_stride = 0;
  std::int64_t position = 0;  // of row 0
  std::int64_t window = 0;    // a row sees so many positions, its own included; 0: all
  std::span<const KvBlock> blocks;
  std::int64_t first = 0;  // the position at which blocks[0] starts, a multiple of kKvBlock
  KvFormat format = KvFormat::kBF16;
  const float* sinks = nullptr;  // [heads]
  float scale = 0;
  float* scratch = nullptr;  // AttendScratch(rows · heads, head_dim) floats, best on a boundary of 64 bytes
  float* out = nullptr;
};
constexpr std::int64_t AttendScratch(std::int64_t queries, std::int64_t head_dim) {
  return 2 * kKvBlock * head_dim + queries * (kKvBlock + 2);
}

struct KernelSet {
  const char* name;
  bool (*usable)(const CpuFeatures& cpu);
  // One row of `cols` (a multiple of 32) floats: symmetric, round to nearest even, largest magnitude -> 127.
  // A block that holds a NaN or an infinity gets the scale NaN; one without magnitudes above 1e-30, zero.
  void (*quantize)(const float* x, std::int64_t cols, std::int8_t* codes, float* scales, float* sums);
  void (*matmul_int8)(const MatMulJob& job, const ActivationRows& rows);   // quantized weight formats only
  void (*matmul_float)(const MatMulJob& job, const ActivationRows& rows);  // every weight format
  void (*attend)(const AttendJob& job);
  // out = min(gate, limit) · sigmoid(alpha · min(gate, limit)) · (clamp(up, −limit, limit) + 1) for n values,
  // a multiple of 16.
  void (*swiglu)(const float* gate, const float* up, std::int64_t n, float limit, float alpha, float* out);
};

// Every set that this build has and this CPU can run, slowest first; the last one is the default.
std::vector<const KernelSet*> UsableKernels();
const KernelSet* FindKernels(std::string_view name);  // null: unknown here or not usable

// True if matmul_int8 can read the format.
constexpr bool HasIntegerKernel(WeightFormat format) {
  return format != WeightFormat::kF32 && format != WeightFormat::kF16 && format != WeightFormat::kBF16;
}

}  // namespace gptoss
