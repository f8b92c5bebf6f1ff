#include "backend/cpu/transformer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace gptoss {
namespace {

// Weight rows per piece of work: a few hundred kilobytes of weights, enough to hide the hand-out.
constexpr std::int64_t kRowGrain = 64;

std::size_t Size(std::int64_t a, std::int64_t b = 1) { return static_cast<std::size_t>(a * b); }

// Vectors as wide as a cache line would straddle two of them at every other boundary of 16 bytes.
constexpr std::int64_t kCacheLine = 16;  // floats
float* Aligned(float* p) {
  constexpr std::uintptr_t bytes = kCacheLine * sizeof(float);
  return p + (bytes - reinterpret_cast<std::uintptr_t>(p) % bytes) % bytes / sizeof(float);
}

}  // namespace

void Transformer::Rows::Allocate(std::int64_t rows, std::int64_t columns, bool quantized) {
  cols = columns;
  x.resize(Size(rows, columns));
  if (!quantized) return;
  codes.resize(Size(rows, columns));
  scales.resize(Size(rows, columns / 32));
  sums.resize(Size(rows, columns / 32));
}

Transformer::Transformer(std::shared_ptr<const Model> model, const KernelSet& kernels, int threads,
                         bool precise, std::int64_t max_rows)
    : model_(std::move(model)),
      c_(model_->config),
      kernels_(kernels),
      precise_(precise),
      pool_(threads),
      rope_(c_.rope, c_.head_dim) {
  const std::int64_t pairs = max_rows * c_.experts_per_token;
  x_.resize(Size(max_rows, c_.hidden));
  normed_.Allocate(max_rows, c_.hidden, !precise);
  attended_.Allocate(max_rows, c_.heads * c_.head_dim, !precise);
  activated_.Allocate(pairs, c_.expert_width, !precise);
  q_.resize(Size(max_rows, c_.heads * c_.head_dim));
  k_.resize(Size(max_rows, c_.kv_heads * c_.head_dim));
  v_.resize(k_.size());
  cos_.resize(Size(max_rows, c_.head_dim / 2));
  sin_.resize(cos_.size());
  projected_.resize(Size(max_rows, c_.hidden));
  router_.resize(Size(max_rows, c_.experts));
  gate_.resize(Size(pairs, c_.expert_width));
  up_.resize(gate_.size());
  down_.resize(Size(pairs, c_.hidden));
  pair_rows_.resize(Size(pairs));
  place_.resize(Size(pairs));
  attend_scratch_.assign(Size(pool_.threads()), std::vector<float>(Size(AttendFloats(c_))));
  blocks_.resize(Size(pool_.threads()));
}

std::int64_t Transformer::AttendFloats(const ModelConfig& c) {
  return AttendScratch(kRunRows * c.heads / c.kv_heads, c.head_dim) + kCacheLine;
}

std::uint64_t Transformer::ScratchBytes(const ModelConfig& c, int threads, bool precise,
                                        std::int64_t max_rows) {
  const std::int64_t pairs = max_rows * c.experts_per_token;
  const std::int64_t heads = c.heads * c.head_dim, kv_heads = c.kv_heads * c.head_dim;
  std::int64_t floats = max_rows * (2 * c.hidden + heads + 2 * kv_heads + c.head_dim + c.experts) +
                        pairs * (2 * c.expert_width + c.hidden) + threads * AttendFloats(c);
  std::int64_t codes = 0;
  for (const auto& [rows, cols] :
       {std::pair{max_rows, c.hidden}, {max_rows, heads}, {pairs, c.expert_width}}) {
    floats += rows * cols + (precise ? 0 : 2 * rows * (cols / 32));
    codes += precise ? 0 : rows * cols;
  }
  return static_cast<std::uint64_t>(floats) * sizeof(float) + static_cast<std::uint64_t>(codes) +
         static_cast<std::uint64_t>(2 * pairs) * sizeof(std::int32_t);
}

std::uint64_t Transformer::scratch_bytes() const {
  std::size_t floats = x_.size() + q_.size() + k_.size() + v_.size() + cos_.size() + sin_.size() +
                       projected_.size() + router_.size() + gate_.size() + up_.size() + down_.size();
  std::size_t codes = 0;
  for (const Rows* rows : {&normed_, &attended_, &activated_}) {
    floats += rows->x.size() + rows->scales.size() + rows->sums.size();
    codes += rows->codes.size();
  }
  for (const auto& scratch : attend_scratch_) floats += scratch.size();
  return floats * sizeof(float) + codes + (pair_rows_.size() + place_.size()) * sizeof(std::int32_t);
}

void Transformer::Prepare(Rows& rows, std::int64_t count) {
  if (precise_) return;
  pool_.ParallelFor(count, 8, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      kernels_.quantize(rows.row(i), rows.cols, rows.codes.data() + i * rows.cols,
                        rows.scales.data() + i * (rows.cols / 32), rows.sums.data() + i * (rows.cols / 32));
    }
  });
}

void Transformer::MatMul(const MatrixView& weights, const float* bias, const Rows& in, std::int64_t count,
                         float* out, const std::int32_t* index) {
  const auto kernel = Integer(weights) ? kernels_.matmul_int8 : kernels_.matmul_float;
  pool_.ParallelFor(weights.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end, int) {
    kernel({.weights = weights,
            .row_begin = begin,
            .row_end = end,
            .index = index,
            .count = count,
            .bias = bias,
            .out = out,
            .out_stride = weights.rows},
           in.view());
  });
}

void Transformer::Norm(const float* in, const float* gain, Rows& out, std::int64_t count) {
  pool_.ParallelFor(count, 8, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = in + r * c_.hidden;
      double sum = 0;
      for (std::int64_t i = 0; i < c_.hidden; ++i) sum += double{x[i]} * double{x[i]};
      const auto scale = static_cast<float>(1 / std::sqrt(sum / static_cast<double>(c_.hidden) + c_.rms_eps));
      float* y = out.row(r);
      for (std::int64_t i = 0; i < c_.hidden; ++i) y[i] = x[i] * scale * gain[i];
    }
  });
  Prepare(out, count);
}

void Transformer::RotateAndStore(std::int64_t index, std::span<const ForwardRow> rows) {
  pool_.ParallelFor(
      static_cast<std::int64_t>(rows.size()), 8, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t r = begin; r < end; ++r) {
          const float* cos = cos_.data() + r * (c_.head_dim / 2);
          const float* sin = sin_.data() + r * (c_.head_dim / 2);
          for (std::int64_t h = 0; h < c_.heads; ++h)
            rope_.Rotate(&q_[Size(r * c_.heads + h, c_.head_dim)], cos, sin);
          for (std::int64_t h = 0; h < c_.kv_heads; ++h) {
            float* k = &k_[Size(r * c_.kv_heads + h, c_.head_dim)];
            rope_.Rotate(k, cos, sin);
            const ForwardRow& row = rows[Size(r)];
            row.cache->Write(index, row.position, h, k, &v_[Size(r * c_.kv_heads + h, c_.head_dim)]);
          }
        }
      });
}

void Transformer::FindRuns(std::span<const ForwardRow> rows) {
  runs_.clear();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const bool goes_on = !runs_.empty() && runs_.back().count < kRunRows &&
                         rows[r].cache == rows[r - 1].cache && rows[r].position == rows[r - 1].position + 1;
    if (goes_on) {
      ++runs_.back().count;
    } else {
      runs_.push_back({static_cast<std::int64_t>(r), 1});
    }
  }
}

void Transformer::AttendRows(const LayerWeights& layer, std::int64_t index,
                             std::span<const ForwardRow> rows) {
  const std::int64_t group = c_.heads / c_.kv_heads, width = c_.heads * c_.head_dim;
  const std::int64_t items = static_cast<std::int64_t>(runs_.size()) * c_.kv_heads;
  pool_.ParallelFor(items, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    auto& blocks = blocks_[Size(worker)];
    for (std::int64_t item = begin; item < end; ++item) {
      const Run run = runs_[Size(item / c_.kv_heads)];
      const std::int64_t h = item % c_.kv_heads;
      const ForwardRow& row = rows[Size(run.first)];
      const std::int64_t first = row.cache->Blocks(index, row.position, row.position + run.count, h, blocks);
      kernels_.attend({.queries = &q_[Size(run.first * width + h * group * c_.head_dim)],
                       .rows = run.count,
                       .heads = group,
                       .head_dim = c_.head_dim,
                       .row_stride = width,
                       .position = row.position,
                       .window = row.cache->window(index),
                       .blocks = blocks,
                       .first = first,
                       .format = row.cache->format(),
                       .sinks = layer.sinks.data() + h * group,
                       .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c_.head_dim))),
                       .scratch = Aligned(attend_scratch_[Size(worker)].data()),
                       .out = attended_.row(run.first) + h * group * c_.head_dim});
    }
  });
}

void Transformer::Attention(const LayerWeights& layer, std::int64_t index, std::span<const ForwardRow> rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  Norm(x_.data(), layer.attention_norm.data(), normed_, count);
  MatMul(layer.q, layer.q_bias.data(), normed_, count, q_.data());
  MatMul(layer.k, layer.k_bias.data(), normed_, count, k_.data());
  MatMul(layer.v, layer.v_bias.data(), normed_, count, v_.data());
  RotateAndStore(index, rows);
}

// Top experts per row, lower index first on ties, softmax over the chosen; then a counting sort by expert.
void Transformer::Route(const LayerWeights& layer, std::int64_t count) {
  // Always in floats: a flipped choice of expert costs more than all rounding of activations together.
  pool_.ParallelFor(c_.experts, 8, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.matmul_float({.weights = layer.router,
                           .row_begin = begin,
                           .row_end = end,
                           .index = nullptr,
                           .count = count,
                           .bias = layer.router_bias.data(),
                           .out = router_.data(),
                           .out_stride = c_.experts},
                          normed_.view());
  });
  pairs_.clear();
  std::vector<std::int32_t> order(Size(c_.experts));
  for (std::int64_t r = 0; r < count; ++r) {
    const float* scores = &router_[Size(r, c_.experts)];
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + c_.experts_per_token, order.end(),
                      [&](std::int32_t a, std::int32_t b) {
                        return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
                      });
    float sum = 0;
    for (std::int64_t i = 0; i < c_.experts_per_token; ++i) {
      const float weight = std::exp(scores[order[Size(i)]] - scores[order[0]]);
      sum += weight;
      pairs_.push_back({order[Size(i)], static_cast<std::int32_t>(r), static_cast<std::int32_t>(i), weight});
    }
    for (auto it = pairs_.end() - c_.experts_per_token; it != pairs_.end(); ++it) it->weight /= sum;
  }
  // Rows of one expert in order. Not stable_sort: libstdc++'s uses a deprecated buffer that Clang 19 rejects.
  std::ranges::sort(pairs_, [](const Pair& a, const Pair& b) {
    return a.expert != b.expert ? a.expert < b.expert : a.row < b.row;
  });
  for (std::size_t p = 0; p < pairs_.size(); ++p) {
    pair_rows_[p] = pairs_[p].row;
    place_[Size(pairs_[p].row, c_.experts_per_token) + Size(pairs_[p].rank)] = static_cast<std::int32_t>(p);
  }
}

void Transformer::RunExperts(const LayerWeights& layer, std::int64_t pairs) {
  // One flat list of (expert, weight rows), so that no worker idles while another finishes an expert.
  struct Work {
    std::int64_t first, count;  // pairs
    std::int32_t expert;
  };
  std::vector<Work> work;
  for (std::int64_t p = 0; p < pairs;) {
    std::int64_t end = p;
    while (end < pairs && pairs_[Size(end)].expert == pairs_[Size(p)].expert) ++end;
    work.push_back({p, end - p, pairs_[Size(p)].expert});
    p = end;
  }
  const auto for_all = [&](std::int64_t rows, auto&& call) {
    const std::int64_t pieces = (rows + kRowGrain - 1) / kRowGrain;
    pool_.ParallelFor(static_cast<std::int64_t>(work.size()) * pieces, 1,
                      [&](std::int64_t begin, std::int64_t end, int) {
                        for (std::int64_t i = begin; i < end; ++i) {
                          const std::int64_t first = i % pieces * kRowGrain;
                          call(work[Size(i / pieces)], first, std::min(first + kRowGrain, rows));
                        }
                      });
  };
  const auto multiply = [&](const ExpertMatrices& m, const std::vector<float>& bias, const Rows& in,
                            const Work& w, const std::int32_t* index, float* out, std::int64_t begin,
                            std::int64_t end) {
    const MatrixView view = m.of(w.expert);
    (Integer(view) ? kernels_.matmul_int8 : kernels_.matmul_float)({.weights = view,
                                                                    .row_begin = begin,
                                                                    .row_end = end,
                                                                    .index = index,
                                                                    .count = w.count,
                                                                    .bias = &bias[Size(w.expert, view.rows)],
                                                                    .out = out + w.first * view.rows,
                                                                    .out_stride = view.rows},
                                                                   in.view());
  };
  const std::int64_t width = c_.expert_width;
  const auto limit = static_cast<float>(c_.swiglu_limit), alpha = static_cast<float>(c_.swiglu_alpha);
  for_all(width, [&](const Work& w, std::int64_t begin, std::int64_t end) {
    const std::int32_t* index = &pair_rows_[Size(w.first)];
    multiply(layer.gate, layer.gate_bias, normed_, w, index, gate_.data(), begin, end);
    multiply(layer.up, layer.up_bias, normed_, w, index, up_.data(), begin, end);
    for (std::int64_t p = w.first; p < w.first + w.count; ++p) {
      const std::size_t at = Size(p * width + begin);
      kernels_.swiglu(&gate_[at], &up_[at], end - begin, limit, alpha, &activated_.x[at]);
    }
  });
  Prepare(activated_, pairs);
  std::iota(pair_rows_.begin(), pair_rows_.begin() + pairs, 0);
  for_all(c_.hidden, [&](const Work& w, std::int64_t begin, std::int64_t end) {
    multiply(layer.down, layer.down_bias, activated_, w, &pair_rows_[Size(w.first)], down_.data(), begin,
             end);
  });
}

void Transformer::Experts(const LayerWeights& layer, std::int64_t count) {
  Norm(x_.data(), layer.mlp_norm.data(), normed_, count);
  Route(layer, count);
  RunExperts(layer, static_cast<std::int64_t>(pairs_.size()));
  // Added in the order of the experts' rank, whatever company the row had.
  pool_.ParallelFor(count, 8, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      float* x = &x_[Size(r, c_.hidden)];
      for (std::int64_t i = 0; i < c_.experts_per_token; ++i) {
        const std::int32_t p = place_[Size(r * c_.experts_per_token + i)];
        const float weight = pairs_[Size(p)].weight;
        const float* y = &down_[Size(p, c_.hidden)];
        for (std::int64_t j = 0; j < c_.hidden; ++j) x[j] += weight * y[j];
      }
    }
  });
}

// After the last layer's keys and values only the rows whose logits are wanted go on. Returns how many.
std::int64_t Transformer::KeepWanted(std::span<const ForwardRow> rows) {
  std::int64_t kept = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (!rows[r].wants_logits) continue;
    std::memmove(&x_[Size(kept, c_.hidden)], &x_[Size(static_cast<std::int64_t>(r), c_.hidden)],
                 Size(c_.hidden, 4));
    ++kept;
  }
  return kept;
}

Status Transformer::Forward(std::span<const ForwardRow> rows, std::span<float> logits,
                            const CancelToken& cancel) {
  const auto count = static_cast<std::int64_t>(rows.size());
  std::vector<double> embedding(Size(c_.hidden));
  for (std::int64_t r = 0; r < count; ++r) {
    DecodeRow(model_->embedding, rows[Size(r)].token, embedding.data());
    for (std::int64_t i = 0; i < c_.hidden; ++i)
      x_[Size(r * c_.hidden + i)] = static_cast<float>(embedding[Size(i)]);
    rope_.Angles(rows[Size(r)].position, &cos_[Size(r, c_.head_dim / 2)], &sin_[Size(r, c_.head_dim / 2)]);
  }
  FindRuns(rows);
  std::int64_t active = count;
  for (std::int64_t l = 0; l < c_.layers; ++l) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
    const LayerWeights& layer = model_->layers[Size(l)];
    Attention(layer, l, rows);
    AttendRows(layer, l, rows);
    Prepare(attended_, count);
    MatMul(layer.o, layer.o_bias.data(), attended_, count, projected_.data());
    for (std::size_t i = 0; i < Size(count, c_.hidden); ++i) x_[i] += projected_[i];
    if (l == c_.layers - 1) active = KeepWanted(rows);
    if (active > 0) Experts(layer, active);
  }
  if (active == 0) return {};
  Norm(x_.data(), model_->final_norm.data(), normed_, active);
  MatMul(model_->unembedding, nullptr, normed_, active, logits.data());
  // One number that is none makes the sum none: damaged weights must not look like an answer.
  float sum = 0;
  for (const float value : logits) sum += value * 0.0f;
  if (sum != 0.0f) {
    return Fail(ErrorCode::kDataLoss,
                "the model computed values that are no numbers; its files may be damaged");
  }
  return {};
}

}  // namespace gptoss
