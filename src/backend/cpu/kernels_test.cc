// Every kernel set that this CPU can run, against plain arithmetic in double.
#include "backend/cpu/kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iostream>
#include <random>

namespace gptoss {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kF32,      WeightFormat::kF16,  WeightFormat::kBF16,
                                     WeightFormat::kAffine8,  WeightFormat::kQ8_0, WeightFormat::kMxfp4Split,
                                     WeightFormat::kMxfp4Gguf};

// A matrix of random bytes that are valid in its format: every code of 4 and 8 bits occurs.
struct RandomMatrix {
  std::vector<std::byte> data, scales, biases;
  MatrixView view;

  RandomMatrix(WeightFormat format, std::int64_t rows, std::int64_t cols, std::mt19937& rng) {
    view = {.format = format, .rows = rows, .cols = cols};
    view.row_stride = RowBytes(format, cols) + 3;  // odd strides: no alignment may be assumed
    data.resize(static_cast<std::size_t>(view.row_stride * rows));
    for (std::byte& b : data) b = static_cast<std::byte>(rng());
    if (format == WeightFormat::kAffine8) {
      view.scale_stride = cols / 64 * 2;
      FillBf16(scales, rows * cols / 64, 0.001f, rng);
      FillBf16(biases, rows * cols / 64, -0.1f, rng);
    }
    if (format == WeightFormat::kMxfp4Split) {
      view.scale_stride = cols / 32;
      for (std::int64_t i = 0; i < rows * cols / 32; ++i)
        scales.push_back(static_cast<std::byte>(118 + rng() % 8));
    }
    for (std::int64_t r = 0; r < rows; ++r)
      MakeValid(&data[static_cast<std::size_t>(r * view.row_stride)], rng);
    view.data = data.data(), view.scales = scales.data(), view.biases = biases.data();
    if (scales.empty()) view.scales = nullptr;
    if (biases.empty()) view.biases = nullptr;
  }

 private:
  static void FillBf16(std::vector<std::byte>& to, std::int64_t count, float around, std::mt19937& rng) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = around * (0.5f + static_cast<float>(rng() % 1000) / 1000.0f);
      const auto bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
      to.push_back(static_cast<std::byte>(bits & 255));
      to.push_back(static_cast<std::byte>(bits >> 8));
    }
  }
  void MakeValid(std::byte* row, std::mt19937& rng) const {
    const auto put = [&](std::int64_t at, const void* from, std::size_t n) {
      std::memcpy(row + at, from, n);
    };
    for (std::int64_t c = 0; c < view.cols; ++c) {
      const float value = static_cast<float>(static_cast<int>(rng() % 2001) - 1000) / 500.0f;
      const auto bf16 = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
      // Any finite half: subnormals too.
      const auto f16 = static_cast<std::uint16_t>((rng() % 0x4200) | (rng() % 2 << 15));
      if (view.format == WeightFormat::kF32) put(4 * c, &value, 4);
      if (view.format == WeightFormat::kBF16) put(2 * c, &bf16, 2);
      if (view.format == WeightFormat::kF16) put(2 * c, &f16, 2);
      if (view.format == WeightFormat::kQ8_0 && c % 32 == 0) {
        const auto scale = static_cast<std::uint16_t>(0x1800 + rng() % 0x800);
        put(c / 32 * 34, &scale, 2);
      }
      if (view.format == WeightFormat::kMxfp4Gguf && c % 32 == 0)
        row[c / 32 * 17] = static_cast<std::byte>(118 + rng() % 8);
    }
  }
};

struct Activations {
  std::vector<float> x, scales, sums;
  std::vector<std::int8_t> codes;
  ActivationRows rows;

  Activations(const KernelSet& k, std::int64_t n, std::int64_t cols, std::mt19937& rng) {
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < n * cols; ++i) x.push_back(normal(rng));
    for (std::int64_t i = 0; i < cols && n > 1; ++i) x[static_cast<std::size_t>(i)] = 0;  // a row of zeros
    codes.resize(x.size());
    scales.resize(x.size() / 32);
    sums.resize(x.size() / 32);
    for (std::int64_t i = 0; i < n; ++i) {
      k.quantize(&x[static_cast<std::size_t>(i * cols)], cols, &codes[static_cast<std::size_t>(i * cols)],
                 &scales[static_cast<std::size_t>(i * cols / 32)],
                 &sums[static_cast<std::size_t>(i * cols / 32)]);
    }
    rows = {cols, x.data(), codes.data(), scales.data(), sums.data()};
  }
};

std::vector<float> Multiply(const KernelSet& k, bool integer, const MatrixView& m, const ActivationRows& a,
                            std::int64_t n, const std::vector<std::int32_t>* index = nullptr,
                            std::int64_t split = 0) {
  std::vector<float> out(static_cast<std::size_t>(n * m.rows), NAN);
  MatMulJob job{.weights = m,
                .row_begin = 0,
                .row_end = split == 0 ? m.rows : split,
                .index = index == nullptr ? nullptr : index->data(),
                .count = n,
                .out = out.data(),
                .out_stride = m.rows};
  (integer ? k.matmul_int8 : k.matmul_float)(job, a);
  if (split != 0) {
    job.row_begin = split, job.row_end = m.rows;
    (integer ? k.matmul_int8 : k.matmul_float)(job, a);
  }
  return out;
}

class Kernels : public ::testing::TestWithParam<const KernelSet*> {};

TEST_P(Kernels, AgreeWithDoubleInEveryFormat) {
  std::mt19937 rng(7);
  for (const WeightFormat format : kFormats) {
    for (const auto& [rows, cols, n] : {std::array<std::int64_t, 3>{1, 64, 1},
                                        {7, 192, 1},
                                        {5, 128, 3},
                                        {9, 320, 17},
                                        {37, 96, 2},
                                        {17, 160, 1},
                                        {20, 224, 1},
                                        {16, 2880, 5},
                                        {3, 4160, 4}}) {
      if (cols % GroupSize(format) != 0) continue;
      const RandomMatrix m(format, rows, cols, rng);
      const Activations a(*GetParam(), n, cols, rng);
      for (const bool integer : {false, true}) {
        if (integer && !HasIntegerKernel(format)) continue;
        const std::vector<float> out = Multiply(*GetParam(), integer, m.view, a.rows, n);
        std::vector<double> w(static_cast<std::size_t>(cols));
        for (std::int64_t r = 0; r < rows; ++r) {
          DecodeRow(m.view, r, w.data());
          for (std::int64_t j = 0; j < n; ++j) {
            double want = 0, size = 0;
            for (std::int64_t c = 0; c < cols; ++c) {
              const auto at = static_cast<std::size_t>(j * cols + c);
              const double x = integer ? double{a.scales[at / 32]} * a.codes[at] : double{a.x[at]};
              want += w[static_cast<std::size_t>(c)] * x;
              size += std::abs(w[static_cast<std::size_t>(c)] * x);
            }
            ASSERT_NEAR(out[static_cast<std::size_t>(j * rows + r)], want, 2e-6 * size + 1e-9)
                << WeightFormatName(format) << " integer " << integer << " row " << r << " of " << rows
                << " n " << n;
          }
        }
      }
    }
  }
}

TEST_P(Kernels, ARowDoesNotDependOnItsCompany) {
  std::mt19937 rng(8);
  constexpr std::int64_t kRows = 43, kCols = 192, kCount = 19;
  for (const WeightFormat format : kFormats) {
    const RandomMatrix m(format, kRows, kCols, rng);
    const Activations a(*GetParam(), kCount, kCols, rng);
    for (const bool integer : {false, true}) {
      if (integer && !HasIntegerKernel(format)) continue;
      const std::vector<float> together = Multiply(*GetParam(), integer, m.view, a.rows, kCount, nullptr, 21);
      for (std::int32_t j = 0; j < kCount; ++j) {
        const std::vector<std::int32_t> index = {j};
        const std::vector<float> alone = Multiply(*GetParam(), integer, m.view, a.rows, 1, &index);
        for (std::int64_t r = 0; r < kRows; ++r) {
          ASSERT_EQ(alone[static_cast<std::size_t>(r)], together[static_cast<std::size_t>(j * kRows + r)])
              << WeightFormatName(format) << " integer " << integer;
        }
      }
    }
  }
}

TEST_P(Kernels, QuantizeKeepsEveryValueWithinHalfAStep) {
  std::mt19937 rng(9);
  const Activations a(*GetParam(), 3, 320, rng);
  for (std::size_t i = 0; i < a.x.size(); ++i) {
    ASSERT_NEAR(a.codes[i] * a.scales[i / 32], a.x[i], a.scales[i / 32] * 0.5001f);
  }
  float sum = 0;
  for (std::size_t i = 320; i < 352; ++i) sum += a.scales[10] * a.codes[i];
  EXPECT_NEAR(a.sums[10], sum, 1e-4);
  EXPECT_EQ(a.sums[0], 0);
}

TEST_P(Kernels, WhatIsNoNumberReachesTheResult) {
  std::mt19937 rng(11);
  for (const WeightFormat format : kFormats) {
    if (!HasIntegerKernel(format)) continue;
    const RandomMatrix m(format, 5, 128, rng);
    for (const float bad : {NAN, INFINITY, -INFINITY, 1e-38f, 0.0f}) {
      Activations a(*GetParam(), 4, 128, rng);
      for (std::int64_t c = 64; c < 96; ++c) a.x[static_cast<std::size_t>(c)] = 0;
      a.x[70] = bad;
      GetParam()->quantize(a.x.data(), 128, a.codes.data(), a.scales.data(), a.sums.data());
      for (const std::int64_t n : {1, 4}) {
        EXPECT_EQ(std::isfinite(bad), std::isfinite(Multiply(*GetParam(), true, m.view, a.rows, n)[0]))
            << WeightFormatName(format) << ' ' << bad;
      }
    }
  }
}

// Blocks of random keys and values in the documented layout, and what they say.
struct RandomKv {
  RandomKv(KvFormat format, std::int64_t d, std::int64_t count, std::mt19937& rng)
      : keys(static_cast<std::size_t>(count * kKvBlock * d)), values(keys.size()) {
    const std::int64_t half = KvHalfBytes(format, d), group = KvGroup(d), codes = kKvBlock * d;
    bytes.resize(static_cast<std::size_t>(2 * half * count));
    std::normal_distribution<float> normal;
    // Element `at` of a half, whose scale is number `scale`, becomes a random number; returns it.
    const auto put = [&](std::byte* to, std::int64_t at, std::int64_t scale) -> float {
      if (format == KvFormat::kF32) {
        const float value = normal(rng);
        std::memcpy(to + 4 * at, &value, 4);
        return value;
      }
      if (format == KvFormat::kBF16) {
        const auto bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(normal(rng)) >> 16);
        std::memcpy(to + 2 * at, &bits, 2);
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
      }
      const auto code = static_cast<std::int8_t>(static_cast<int>(rng() % 255) - 127);
      to[at] = static_cast<std::byte>(code);
      std::uint16_t bits;
      std::memcpy(&bits, to + codes + 2 * scale, 2);
      if (bits == 0) bits = static_cast<std::uint16_t>(0x3C00 + rng() % 64);
      std::memcpy(to + codes + 2 * scale, &bits, 2);
      return code * std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
    };
    for (std::int64_t b = 0; b < count; ++b) {
      std::byte* k = bytes.data() + 2 * half * b;
      blocks.push_back({k, k + half});
      for (std::int64_t j = 0; j < kKvBlock; ++j) {
        for (std::int64_t i = 0; i < d; ++i) {
          const auto at = static_cast<std::size_t>((b * kKvBlock + j) * d + i);
          keys[at] = put(k, i * kKvBlock + j, i / group * kKvBlock + j);
          values[at] = put(k + half, j * d + i, j * (d / group) + i / group);
        }
      }
    }
  }
  std::vector<float> keys, values;  // [count · kKvBlock, d]
  std::vector<std::byte> bytes;
  std::vector<KvBlock> blocks;
};

// Head `h` of row `r` of the job, in double.
std::vector<double> Attended(const AttendJob& job, const RandomKv& kv, std::int64_t r, std::int64_t h) {
  const std::int64_t position = job.position + r;
  const std::int64_t oldest = job.window == 0 ? 0 : std::max<std::int64_t>(0, position - job.window + 1);
  const float* q = job.queries + r * job.row_stride + h * job.head_dim;
  std::vector<double> out(static_cast<std::size_t>(job.head_dim));
  double sum = std::exp(double{job.sinks[h]});
  for (std::int64_t j = oldest; j <= position; ++j) {
    const std::int64_t at = (j - job.first) * job.head_dim;
    double dot = 0;
    for (std::int64_t i = 0; i < job.head_dim; ++i)
      dot += double{q[i]} * kv.keys[static_cast<std::size_t>(at + i)];
    const double weight = std::exp(dot * job.scale);
    sum += weight;
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] += weight * kv.values[static_cast<std::size_t>(at) + i];
  }
  for (double& x : out) x /= sum;
  return out;
}

TEST_P(Kernels, AttentionIsASoftmaxWithASinkWhateverTheTile) {
  std::mt19937 rng(10);
  std::normal_distribution<float> normal;
  struct Case {
    KvFormat format;
    std::int64_t d, heads, position, window, first;
  };
  for (const Case& c :
       {Case{KvFormat::kF32, 64, 8, 100, 0, 0}, Case{KvFormat::kF32, 16, 3, 60, 0, 0},
        Case{KvFormat::kBF16, 64, 8, 190, 128, 0}, Case{KvFormat::kBF16, 48, 2, 330, 128, 192},
        Case{KvFormat::kI8, 64, 8, 250, 0, 0}, Case{KvFormat::kI8, 48, 5, 63, 20, 0}}) {
    constexpr std::int64_t kRows = 5;
    const RandomKv kv(c.format, c.d, 5, rng);
    std::vector<float> q(static_cast<std::size_t>(kRows * c.heads * c.d)),
        sinks(static_cast<std::size_t>(c.heads));
    for (float& x : q) x = normal(rng);
    for (float& x : sinks) x = 3 * normal(rng);
    std::vector<float> out(q.size(), 7.0f), alone(q.size(), 7.0f);
    std::vector<float> scratch(static_cast<std::size_t>(AttendScratch(kRows * c.heads, c.d)));
    AttendJob job{.queries = q.data(),
                  .rows = kRows,
                  .heads = c.heads,
                  .head_dim = c.d,
                  .row_stride = c.heads * c.d,
                  .position = c.position,
                  .window = c.window,
                  .blocks = kv.blocks,
                  .first = c.first,
                  .format = c.format,
                  .sinks = sinks.data(),
                  .scale = 0.125f,
                  .scratch = scratch.data(),
                  .out = out.data()};
    // The caller gives no blocks beyond the newest row.
    const auto blocks_to = [&](std::int64_t position) {
      return std::span(kv.blocks).first(static_cast<std::size_t>((position - c.first) / kKvBlock + 1));
    };
    job.blocks = blocks_to(c.position + kRows - 1);
    GetParam()->attend(job);
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::int64_t h = 0; h < c.heads; ++h) {
        const std::vector<double> want = Attended(job, kv, r, h);
        for (std::int64_t i = 0; i < c.d; ++i)
          ASSERT_NEAR(out[static_cast<std::size_t>((r * c.heads + h) * c.d + i)],
                      want[static_cast<std::size_t>(i)], 2e-5);
      }
    }
    for (std::int64_t r = 0; r < kRows; ++r) {
      AttendJob row = job;
      row.rows = 1, row.position = c.position + r, row.blocks = blocks_to(row.position);
      row.queries += r * row.row_stride, row.out = alone.data() + r * row.row_stride;
      GetParam()->attend(row);
    }
    EXPECT_EQ(out, alone);
  }
}

TEST_P(Kernels, AttentionHidesNoNumberThatIsNone) {
  std::mt19937 rng(11);
  const RandomKv kv(KvFormat::kF32, 16, 1, rng);
  std::vector<float> q(16, 1.0f), out(16), scratch(static_cast<std::size_t>(AttendScratch(1, 16)));
  q[3] = NAN;
  const float sink = 0;
  GetParam()->attend({.queries = q.data(),
                      .rows = 1,
                      .heads = 1,
                      .head_dim = 16,
                      .row_stride = 16,
                      .position = 9,
                      .window = 0,
                      .blocks = kv.blocks,
                      .first = 0,
                      .format = KvFormat::kF32,
                      .sinks = &sink,
                      .scale = 1,
                      .scratch = scratch.data(),
                      .out = out.data()});
  for (const float x : out) EXPECT_TRUE(std::isnan(x));
}

TEST_P(Kernels, SwigluIsClampedAndHidesNoNumberThatIsNone) {
  std::mt19937 rng(12);
  std::normal_distribution<float> normal(0, 6);
  std::vector<float> gate(64), up(64), out(64);
  for (float& x : gate) x = normal(rng);
  for (float& x : up) x = normal(rng);
  gate[0] = 80, gate[1] = -80, gate[2] = 0, up[3] = 100, up[4] = -100;
  GetParam()->swiglu(gate.data(), up.data(), 64, 7, 1.702f, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double g = std::min(double{gate[i]}, 7.0), u = std::clamp(double{up[i]}, -7.0, 7.0);
    const double want = g / (1 + std::exp(-double{1.702f} * g)) * (u + 1);
    ASSERT_NEAR(out[i], want, 1e-6 * (1 + std::abs(want))) << gate[i] << ' ' << up[i];
  }
  gate[5] = NAN, up[6] = NAN;
  GetParam()->swiglu(gate.data(), up.data(), 64, 7, 1.702f, out.data());
  EXPECT_TRUE(std::isnan(out[5]) && std::isnan(out[6]));
}

INSTANTIATE_TEST_SUITE_P(Every, Kernels, ::testing::ValuesIn(UsableKernels()),
                         [](const auto& kernels) { return std::string(kernels.param->name); });

TEST(KernelSets, ThePortableOneIsAlwaysThereAndUnknownOnesAreNot) {
  ASSERT_FALSE(UsableKernels().empty());
  EXPECT_STREQ(UsableKernels().front()->name, "portable");
  EXPECT_EQ(FindKernels("abacus"), nullptr);
  std::cout << "kernel sets run:";
  for (const KernelSet* set : UsableKernels()) std::cout << ' ' << set->name;
  std::cout << '\n';
}

}  // namespace
}  // namespace gptoss
