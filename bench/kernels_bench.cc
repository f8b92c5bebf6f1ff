// Matrix kernels against ceilings that are measured in the same run: reading memory (decode) and 8-bit
// products (prefill). Usage: kernels_bench [threads]. Prints a table, then one line of JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/thread_pool.h"
#include "ceilings.h"
#include "platform/system.h"

namespace gptoss::bench {
namespace {

constexpr std::int64_t kSide = 2880;  // hidden and expert width of gpt-oss-20b
constexpr std::int64_t kRowGrain = 64;
constexpr std::int64_t kArena = std::int64_t{1} << 30;  // far beyond any cache
constexpr double kFlopPerToken = 6.05e9;                // gpt-oss-20b without the unembedding

struct Weights {
  std::vector<std::byte> scales;
  std::vector<MatrixView> matrices;
  std::int64_t bytes = 0;  // of one matrix
};

// As many matrices as fit in the arena, over its random bytes; only the scales must be plausible numbers.
Weights Fill(WeightFormat format, std::vector<std::byte>& arena) {
  Weights w;
  const std::int64_t row = RowBytes(format, kSide);
  const std::int64_t scale_row = format == WeightFormat::kAffine8      ? kSide / 64 * 2
                                 : format == WeightFormat::kMxfp4Split ? kSide / 32
                                                                       : 0;
  const std::int64_t count = static_cast<std::int64_t>(arena.size()) / (row * kSide);
  const bool affine = format == WeightFormat::kAffine8;
  w.scales.resize(static_cast<std::size_t>(2 * scale_row * kSide * count),
                  static_cast<std::byte>(affine ? 0x3c : 120));
  w.bytes = kSide * (row + scale_row * (affine ? 2 : 1));
  for (std::int64_t i = 0; i < count; ++i) {
    MatrixView m{.format = format, .rows = kSide, .cols = kSide};
    m.data = arena.data() + i * kSide * row;
    m.row_stride = row;
    if (scale_row != 0) m.scales = w.scales.data() + 2 * i * scale_row * kSide;
    if (affine) m.biases = m.scales + scale_row * kSide;
    m.scale_stride = scale_row;
    w.matrices.push_back(m);
  }
  const std::int64_t block = format == WeightFormat::kQ8_0 ? 34 : 17;
  if (format == WeightFormat::kQ8_0 || format == WeightFormat::kMxfp4Gguf) {
    for (std::int64_t at = 0; at + block <= count * kSide * row; at += block) {
      std::byte* p = arena.data() + at;
      if (block == 17) p[0] = std::byte{120};
      if (block == 34) p[0] = std::byte{0}, p[1] = std::byte{0x20};
    }
  }
  return w;
}

struct Rows {
  std::vector<float> x, scales, sums;
  std::vector<std::int8_t> codes;
  ActivationRows view;
  Rows(const KernelSet& k, std::int64_t n) {
    std::mt19937 rng(1);
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < n * kSide; ++i) x.push_back(normal(rng));
    codes.resize(x.size()), scales.resize(x.size() / 32), sums.resize(x.size() / 32);
    k.quantize(x.data(), n * kSide, codes.data(), scales.data(), sums.data());
    view = {kSide, x.data(), codes.data(), scales.data(), sums.data()};
  }
};

double SecondsPerMatrix(ThreadPool& pool, const KernelSet& k, const Weights& w, std::int64_t matrices,
                        const Rows& rows, std::int64_t n) {
  const bool integer = HasIntegerKernel(w.matrices[0].format);
  std::vector<float> out(static_cast<std::size_t>(n * kSide));
  constexpr std::int64_t kPieces = kSide / kRowGrain;
  const double seconds = BestSeconds(3, [&] {
    pool.ParallelFor(matrices * kPieces, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t first = i % kPieces * kRowGrain;
        (integer ? k.matmul_int8 : k.matmul_float)({.weights = w.matrices[i / kPieces],
                                                    .row_begin = first,
                                                    .row_end = first + kRowGrain,
                                                    .count = n,
                                                    .out = out.data(),
                                                    .out_stride = kSide},
                                                   rows.view);
      }
    });
  });
  return seconds / static_cast<double>(matrices);
}

int Run(int threads) {
  ThreadPool pool(threads);
  std::vector<std::byte> arena(static_cast<std::size_t>(kArena));
  std::mt19937_64 rng(1);
  for (std::size_t i = 0; i + 8 <= arena.size(); i += 8) {
    const std::uint64_t bits = rng() & 0x3f7f3f7f3f7f3f7fU;  // finite in BF16 too
    __builtin_memcpy(&arena[i], &bits, 8);
  }
  const double read = ReadCeiling(pool, arena), int8 = MeasureMatrixCeilings(pool).vnni_int8;
  fmt::print("{}, {} threads\nread {:.1f} GB/s, int8 {:.0f} GOP/s\n\n", CpuName(), threads, read / 1e9,
             int8 / 1e9);
  fmt::print("{:<13} {:<14} {:>5} {:>8} {:>7} {:>9} {:>7} {:>8}\n", "kernels", "format", "rows", "GB/s",
             "of read", "GOP/s", "of int8", "tok/s*");
  std::string json;
  for (const WeightFormat format : {WeightFormat::kMxfp4Split, WeightFormat::kMxfp4Gguf, WeightFormat::kBF16,
                                    WeightFormat::kAffine8, WeightFormat::kQ8_0}) {
    const Weights w = Fill(format, arena);
    for (const KernelSet* k : UsableKernels()) {
      const bool slow = std::string_view(k->name) == "portable";
      for (const std::int64_t n : {1, 4, 16, 64, 256}) {
        if (slow && n != 1) continue;
        const Rows rows(*k, n);
        const auto all = static_cast<std::int64_t>(w.matrices.size());
        const std::int64_t matrices = std::min(all, slow ? 4 : n == 1 ? all : 256 / n + 2);
        const double seconds = SecondsPerMatrix(pool, *k, w, matrices, rows, n);
        const double bandwidth = static_cast<double>(w.bytes) / seconds;
        const double rate = static_cast<double>(2 * n * kSide * kSide) / seconds;
        fmt::print("{:<13} {:<14} {:>5} {:>8.1f} {:>7.2f} {:>9.0f} {:>7.2f} {:>8.1f}\n", k->name,
                   format == WeightFormat::kMxfp4Gguf ? "MXFP4 (GGUF)" : WeightFormatName(format), n,
                   bandwidth / 1e9, bandwidth / read, rate / 1e9, int8 > 0 ? rate / int8 : 0,
                   rate / kFlopPerToken);
        json += fmt::format(
            "{}{{\"kernels\":\"{}\",\"format\":{},\"rows\":{},\"bytes_per_s\":{:.0f},\"op_per_s\":{:.0f}}}",
            json.empty() ? "" : ",", k->name, static_cast<int>(format), n, bandwidth, rate);
        std::fflush(stdout);
      }
    }
  }
  fmt::print("\n* prompt tokens per second if all of gpt-oss-20b's matrices ran at this rate\n");
  fmt::print(
      "{{\"cpu\":\"{}\",\"threads\":{},\"read_bytes_per_s\":{:.0f},\"int8_op_per_s\":{:.0f},\"runs\":[{}]}}"
      "\n",
      CpuName(), threads, read, int8, json);
  return 0;
}

}  // namespace
}  // namespace gptoss::bench

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : gptoss::UsableCpus();
  return gptoss::bench::Run(std::clamp(threads, 1, 1024));
}
