// The kernels, written once. Each kernels_<isa>.cc defines the integer primitives of its instruction set in a
// namespace of its own and includes this file there: no function here may be shared between translation units
// that are compiled with different flags. Vectors of floats are the compilers' vector extension, lowered per
// target.
//
// Expected from the including file, in the same namespace:
//   struct Codes;                                   32 signed 8-bit weights in registers
//   struct Sum;                                     running float sums (some lanes); default: zero
//   Codes LoadSplit(p), LoadGguf(p), LoadS8(p), LoadU8(p)   (LoadU8: code − 128)
//   void Accumulate(Sum&, const Codes&, const int8_t* activations, float scale)
//   float Total(const Sum&)
//   void Widen(const Codes&, float out[32])
// This is a body, not an interface.
#pragma once

typedef float F8 __attribute__((vector_size(32)));
typedef std::uint32_t U8x __attribute__((vector_size(32)));

#define GPTOSS_INLINE inline __attribute__((always_inline))

GPTOSS_INLINE F8 LoadF8(const float* p) {
  F8 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
GPTOSS_INLINE void StoreF8(float* p, F8 v) { __builtin_memcpy(p, &v, sizeof v); }
GPTOSS_INLINE float LaneSum(F8 v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}
GPTOSS_INLINE float Bf16At(const std::byte* p) {
  std::uint16_t bits;
  __builtin_memcpy(&bits, p, 2);
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, 4);
  return value;
}
GPTOSS_INLINE F8 LoadBf16x8(const std::byte* p) {
  typedef std::uint16_t U16x8 __attribute__((vector_size(16)));
  U16x8 narrow;
  __builtin_memcpy(&narrow, p, 16);
  const U8x wide = __builtin_convertvector(narrow, U8x) << 16;
  F8 v;
  __builtin_memcpy(&v, &wide, 32);
  return v;
}
// IEEE binary16 by integer arithmetic: exact for normal and subnormal numbers (files hold no infinities we
// accept).
GPTOSS_INLINE float F16At(const std::byte* p) {
  std::uint16_t bits;
  __builtin_memcpy(&bits, p, 2);
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  // Exponent and mantissa moved into place, then 2^112 corrects the bias and makes subnormals normal.
  const std::uint32_t moved = static_cast<std::uint32_t>(bits & 0x7FFF) << 13;
  float magnitude;
  __builtin_memcpy(&magnitude, &moved, 4);
  magnitude *= 0x1p112f;
  std::uint32_t out;
  __builtin_memcpy(&out, &magnitude, 4);
  out |= sign;
  float value;
  __builtin_memcpy(&value, &out, 4);
  return value;
}
// 2^(s − 127); s = 0 is the subnormal 2^−127, s = 255 (NaN) is refused when a file is read.
GPTOSS_INLINE float E8m0At(const std::byte* p) {
  const auto s = static_cast<std::uint32_t>(*p);
  const std::uint32_t bits = s == 0 ? 0x00400000U : s << 23;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

// One format's row: block b of 32 codes and its scale.
struct SplitRow {
  const std::byte* data;
  const std::byte* scales;
  GPTOSS_INLINE Codes Load(std::int64_t b) const { return LoadSplit(data + 16 * b); }
  GPTOSS_INLINE float Scale(std::int64_t b) const { return 0.5f * E8m0At(scales + b); }  // codes are doubled
  GPTOSS_INLINE const std::byte* At(std::int64_t b) const { return data + 16 * b; }
  static constexpr bool kAffine = false;
};
struct GgufRow {
  const std::byte* data;
  const std::byte* scales;
  GPTOSS_INLINE Codes Load(std::int64_t b) const { return LoadGguf(data + 17 * b + 1); }
  GPTOSS_INLINE float Scale(std::int64_t b) const { return 0.5f * E8m0At(data + 17 * b); }
  GPTOSS_INLINE const std::byte* At(std::int64_t b) const { return data + 17 * b; }
  static constexpr bool kAffine = false;
};
struct Q8Row {
  const std::byte* data;
  const std::byte* scales;
  GPTOSS_INLINE Codes Load(std::int64_t b) const { return LoadS8(data + 34 * b + 2); }
  GPTOSS_INLINE float Scale(std::int64_t b) const { return F16At(data + 34 * b); }
  GPTOSS_INLINE const std::byte* At(std::int64_t b) const { return data + 34 * b; }
  static constexpr bool kAffine = false;
};
struct AffineRow {
  const std::byte* data;
  const std::byte* scales;
  const std::byte* biases = nullptr;
  GPTOSS_INLINE Codes Load(std::int64_t b) const { return LoadU8(data + 32 * b); }
  GPTOSS_INLINE float Scale(std::int64_t b) const { return Bf16At(scales + 2 * (b / 2)); }
  // w = scale · q + bias = scale · (q − 128) + (bias + 128 · scale)
  GPTOSS_INLINE float Bias(std::int64_t b) const {
    return Bf16At(biases + 2 * (b / 2)) + 128.0f * Bf16At(scales + 2 * (b / 2));
  }
  GPTOSS_INLINE const std::byte* At(std::int64_t b) const { return data + 32 * b; }
  static constexpr bool kAffine = true;
};

template <typename Row>
GPTOSS_INLINE Row RowOf(const MatrixView& m, std::int64_t r) {
  Row row;
  row.data = m.data + r * m.row_stride;
  row.scales = m.scales + (m.scales == nullptr ? 0 : r * m.scale_stride);
  if constexpr (Row::kAffine) row.biases = m.biases + r * m.scale_stride;
  return row;
}

// What an affine row's bias adds: Σ over blocks of bias · (sum of the activations), blocks in order.
template <typename Row>
GPTOSS_INLINE float BiasPart(const Row& row, const float* sums, std::int64_t blocks) {
  float total = 0;
  if constexpr (Row::kAffine) {
    for (std::int64_t b = 0; b < blocks; ++b) total += row.Bias(b) * sums[b];
  }
  return total;
}

// R weight rows × N activation rows: each block of weights is unpacked once for all N.
template <typename Row, int R, int N>
GPTOSS_INLINE void Tile(const MatMulJob& job, const ActivationRows& a, std::int64_t r, std::int64_t j) {
  const std::int64_t blocks = a.cols / 32;
  Row rows[R];
  for (int k = 0; k < R; ++k) rows[k] = RowOf<Row>(job.weights, r + k);
  std::int64_t source[N];
  for (int n = 0; n < N; ++n) source[n] = job.index == nullptr ? j + n : job.index[j + n];
  Sum sums[R][N] = {};
  for (std::int64_t b = 0; b < blocks; ++b) {
    for (int k = 0; k < R; ++k) {
      // Decode waits for memory; the next group of rows is asked for while this one is computed.
      if constexpr (N == 1) __builtin_prefetch(rows[k].At(b) + R * job.weights.row_stride);
      const Codes codes = rows[k].Load(b);
      const float scale = rows[k].Scale(b);
      for (int n = 0; n < N; ++n) {
        Accumulate(sums[k][n], codes, a.codes + source[n] * a.cols + 32 * b,
                   scale * a.scales[source[n] * blocks + b]);
      }
    }
  }
  for (int k = 0; k < R; ++k) {
    for (int n = 0; n < N; ++n) {
      const float bias = job.bias == nullptr ? 0.0f : job.bias[r + k];
      job.out[(j + n) * job.out_stride + r + k] =
          Total(sums[k][n]) + BiasPart(rows[k], a.sums + source[n] * blocks, blocks) + bias;
    }
  }
}

template <typename Row>
void IntegerMatMul(const MatMulJob& job, const ActivationRows& a) {
  std::int64_t r = job.row_begin;
  if (job.count == 1) {
    for (; r + 4 <= job.row_end; r += 4) Tile<Row, 4, 1>(job, a, r, 0);
    for (; r < job.row_end; ++r) Tile<Row, 1, 1>(job, a, r, 0);
    return;
  }
  for (; r < job.row_end; ++r) {
    std::int64_t j = 0;
    for (; j + 8 <= job.count; j += 8) Tile<Row, 1, 8>(job, a, r, j);
    for (; j + 2 <= job.count; j += 2) Tile<Row, 1, 2>(job, a, r, j);
    for (; j < job.count; ++j) Tile<Row, 1, 1>(job, a, r, j);
  }
}

void MatMulInt8(const MatMulJob& job, const ActivationRows& a) {
  switch (job.weights.format) {
    case WeightFormat::kMxfp4Split:
      return IntegerMatMul<SplitRow>(job, a);
    case WeightFormat::kMxfp4Gguf:
      return IntegerMatMul<GgufRow>(job, a);
    case WeightFormat::kQ8_0:
      return IntegerMatMul<Q8Row>(job, a);
    case WeightFormat::kAffine8:
      return IntegerMatMul<AffineRow>(job, a);
    default:
      return;  // HasIntegerKernel() is false: callers ask first
  }
}

// Columns [c, c + n) of a row as floats; n a multiple of 16, at most 64, inside one affine group.
GPTOSS_INLINE void DecodeChunk(const MatrixView& m, std::int64_t r, std::int64_t c, int n, float* out) {
  const std::byte* data = m.data + r * m.row_stride;
  const auto scaled = [&](const Codes& codes, float scale, float bias, float* to) {
    Widen(codes, to);
    for (int i = 0; i < 32; i += 8) StoreF8(to + i, LoadF8(to + i) * scale + bias);
  };
  switch (m.format) {
    case WeightFormat::kF32:
      __builtin_memcpy(out, data + 4 * c, 4 * static_cast<std::size_t>(n));
      return;
    case WeightFormat::kF16:
      for (int i = 0; i < n; ++i) out[i] = F16At(data + 2 * (c + i));
      return;
    case WeightFormat::kBF16:
      for (int i = 0; i < n; i += 8) StoreF8(out + i, LoadBf16x8(data + 2 * (c + i)));
      return;
    default:
      break;
  }
  for (int i = 0; i < n; i += 32) {
    const std::int64_t b = (c + i) / 32;
    switch (m.format) {
      case WeightFormat::kMxfp4Split: {
        const auto row = RowOf<SplitRow>(m, r);
        scaled(row.Load(b), row.Scale(b), 0, out + i);
        break;
      }
      case WeightFormat::kMxfp4Gguf: {
        const auto row = RowOf<GgufRow>(m, r);
        scaled(row.Load(b), row.Scale(b), 0, out + i);
        break;
      }
      case WeightFormat::kQ8_0: {
        const auto row = RowOf<Q8Row>(m, r);
        scaled(row.Load(b), row.Scale(b), 0, out + i);
        break;
      }
      default: {
        const auto row = RowOf<AffineRow>(m, r);
        scaled(row.Load(b), row.Scale(b), row.Bias(b), out + i);
        break;
      }
    }
  }
}

// One weight row against N activation rows in floats; the weights of 32 columns are decoded once for all N.
template <int N>
GPTOSS_INLINE void FloatTile(const MatMulJob& job, const ActivationRows& a, std::int64_t r, std::int64_t j) {
  F8 sums[N][2] = {};
  const float* x[N];
  for (int n = 0; n < N; ++n) x[n] = a.x + (job.index == nullptr ? j + n : job.index[j + n]) * a.cols;
  std::int64_t c = 0;
  alignas(32) float w[32];
  for (; c + 32 <= a.cols; c += 32) {
    DecodeChunk(job.weights, r, c, 32, w);
    for (int n = 0; n < N; ++n) {
      sums[n][0] += LoadF8(w) * LoadF8(x[n] + c);
      sums[n][1] += LoadF8(w + 8) * LoadF8(x[n] + c + 8);
      sums[n][0] += LoadF8(w + 16) * LoadF8(x[n] + c + 16);
      sums[n][1] += LoadF8(w + 24) * LoadF8(x[n] + c + 24);
    }
  }
  for (int n = 0; n < N; ++n) {
    float total = LaneSum(sums[n][0] + sums[n][1]);
    if (job.bias != nullptr) total += job.bias[r];
    job.out[(j + n) * job.out_stride + r] = total;
  }
}

void MatMulFloat(const MatMulJob& job, const ActivationRows& a) {
  for (std::int64_t r = job.row_begin; r < job.row_end; ++r) {
    std::int64_t j = 0;
    for (; j + 4 <= job.count; j += 4) FloatTile<4>(job, a, r, j);
    for (; j < job.count; ++j) FloatTile<1>(job, a, r, j);
  }
}

void Quantize(const float* x, std::int64_t cols, std::int8_t* codes, float* scales, float* sums) {
  for (std::int64_t b = 0; b < cols / 32; ++b) {
    // Magnitudes order like their bits, and NaN above infinity above all numbers.
    std::uint32_t top_bits = 0;
    for (int i = 0; i < 32; ++i) {
      std::uint32_t bits;
      __builtin_memcpy(&bits, x + 32 * b + i, 4);
      bits &= 0x7FFFFFFF;
      top_bits = bits > top_bits ? bits : top_bits;
    }
    float top;
    __builtin_memcpy(&top, &top_bits, 4);
    if (!(top > 1e-30f && top < 1e38f)) {
      // Nothing, or no numbers: then the scale says so, and the fault is not lost on the way to the logits.
      for (int i = 0; i < 32; ++i) codes[32 * b + i] = 0;
      scales[b] = sums[b] = top <= 1e-30f ? 0.0f : __builtin_nanf("");
      continue;
    }
    const float inverse = 127.0f / top;
    std::int32_t sum = 0;
    for (int i = 0; i < 32; ++i) {
      // Adding 1.5 · 2^23 rounds to the nearest integer, ties to even, without a library call.
      const float rounded = (x[32 * b + i] * inverse + 12582912.0f) - 12582912.0f;
      const auto code = static_cast<std::int32_t>(rounded);
      codes[32 * b + i] = static_cast<std::int8_t>(code);
      sum += code;
    }
    scales[b] = top / 127.0f;
    sums[b] = scales[b] * static_cast<float>(sum);
  }
}

#include "backend/cpu/kernels_vector.h"

#include "backend/cpu/kernels_attend.h"
