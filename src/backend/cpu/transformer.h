// The forward pass of GPT-OSS over a batch of rows. Formulas: Agarwal et al., "gpt-oss-120b & gpt-oss-20b
// model card", arXiv 2508.10925, and OpenAI's torch reference.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/kv_cache.h"
#include "backend/cpu/rope.h"
#include "backend/cpu/thread_pool.h"
#include "base/cancel.h"
#include "base/error.h"
#include "model/weights.h"

namespace gptoss {

// One row: its sequence's cache (positions reserved) and its place in it.
struct ForwardRow {
  KvCache* cache = nullptr;
  std::int64_t position = 0;
  std::int32_t token = 0;
  bool wants_logits = false;
};

// One thread at a time. Scratch for `max_rows` is allocated once.
class Transformer {
 public:
  Transformer(std::shared_ptr<const Model> model, const KernelSet& kernels, int threads, bool precise,
              std::int64_t max_rows);

  // `logits`: vocab floats for every row that wants them, in order. kCancelled between layers; kDataLoss when
  // the result is no number.
  Status Forward(std::span<const ForwardRow> rows, std::span<float> logits, const CancelToken& cancel);

  int threads() const { return pool_.threads(); }
  const KernelSet& kernels() const { return kernels_; }
  bool precise() const { return precise_; }
  std::uint64_t scratch_bytes() const;
  // The same before there is one: what the constructor allocates.
  static std::uint64_t ScratchBytes(const ModelConfig& config, int threads, bool precise,
                                    std::int64_t max_rows);
  static std::int64_t AttendFloats(const ModelConfig& config);
  static constexpr std::int64_t kDefaultMaxRows = 512;

 private:
  // Rows of floats with their 8-bit codes.
  struct Rows {
    std::int64_t cols = 0;
    std::vector<float> x, scales, sums;
    std::vector<std::int8_t> codes;
    void Allocate(std::int64_t rows, std::int64_t columns, bool quantized);
    ActivationRows view() const { return {cols, x.data(), codes.data(), scales.data(), sums.data()}; }
    float* row(std::int64_t i) { return x.data() + i * cols; }
  };
  // Rows that stand one after another in the batch and in their sequence, at most kRunRows.
  struct Run {
    std::int64_t first, count;
  };
  static constexpr std::int64_t kRunRows = 8;
  // A token's choice of an expert.
  struct Pair {
    std::int32_t expert, row, rank;
    float weight;
  };

  bool Integer(const MatrixView& weights) const { return !precise_ && HasIntegerKernel(weights.format); }
  void Prepare(Rows& rows, std::int64_t count);  // codes for the integer kernels
  void MatMul(const MatrixView& weights, const float* bias, const Rows& in, std::int64_t count, float* out,
              const std::int32_t* index = nullptr);
  void Norm(const float* in, const float* gain, Rows& out, std::int64_t count);
  void Attention(const LayerWeights& layer, std::int64_t index, std::span<const ForwardRow> rows);
  void RotateAndStore(std::int64_t index, std::span<const ForwardRow> rows);
  void FindRuns(std::span<const ForwardRow> rows);
  void AttendRows(const LayerWeights& layer, std::int64_t index, std::span<const ForwardRow> rows);
  void Experts(const LayerWeights& layer, std::int64_t count);
  void Route(const LayerWeights& layer, std::int64_t count);
  void RunExperts(const LayerWeights& layer, std::int64_t pairs);
  std::int64_t KeepWanted(std::span<const ForwardRow> rows);

  std::shared_ptr<const Model> model_;
  const ModelConfig& c_;
  const KernelSet& kernels_;
  bool precise_;
  ThreadPool pool_;
  Rope rope_;

  std::vector<float> x_;                 // residual stream [rows, hidden]
  Rows normed_, attended_, activated_;   // [rows, hidden], [rows, heads · head_dim], [pairs, expert_width]
  std::vector<float> q_, k_, v_;         // [rows, …]
  std::vector<float> cos_, sin_;         // [rows, head_dim / 2]
  std::vector<float> projected_;         // [rows, hidden]
  std::vector<float> router_;            // [rows, experts]
  std::vector<float> gate_, up_, down_;  // [pairs, …]
  std::vector<Pair> pairs_;              // sorted by expert
  std::vector<std::int32_t> pair_rows_, place_;
  std::vector<Run> runs_;
  std::vector<std::vector<float>> attend_scratch_;  // per worker
  std::vector<std::vector<KvBlock>> blocks_;        // per worker
};

}  // namespace gptoss
