// Attention in blocks: the keys of a block are decoded once for all queries of a tile, and the softmax is
// kept up to date from block to block (Milakov & Gimelshein, "Online normalizer calculation for softmax",
// arXiv 1805.02867; Dao et al., FlashAttention, arXiv 2205.14135). Part of kernels_body.h.
//
// Row by row and key by key, as it was before, each key was decoded again for every row: prefill lost nine
// tenths of its speed by 16,000 tokens.
//
// Invariance: a score is one chain of products over the dimensions, a result one chain over the keys, and the
// borders of blocks are absolute. What a row does not see has the weight zero, and a block of which it sees
// nothing multiplies by one. So neither the tile nor the batch changes a bit.
// This is a body, not an interface.
#pragma once

constexpr int kTileQueries = 4;

// A block's keys as floats [head_dim, kKvBlock].
GPTOSS_INLINE void DecodeKeys(KvFormat format, const std::byte* from, std::int64_t d, float* to) {
  const std::int64_t n = d * kKvBlock, group = KvGroup(d);
  switch (format) {
    case KvFormat::kF32:
      __builtin_memcpy(to, from, 4 * static_cast<std::size_t>(n));
      return;
    case KvFormat::kBF16:
      for (std::int64_t i = 0; i < n; i += kLanes) StoreFV(to + i, LoadBf16FV(from + 2 * i));
      return;
    case KvFormat::kI8:
      for (std::int64_t i = 0; i < n; i += kLanes) {
        const std::int64_t scale = i / (group * kKvBlock) * kKvBlock + i % kKvBlock;
        StoreFV(to + i, LoadS8FV(from + i) * LoadBf16FV(from + n + 2 * scale));
      }
      return;
  }
}

// A block's values as floats [kKvBlock, head_dim].
GPTOSS_INLINE void DecodeValues(KvFormat format, const std::byte* from, std::int64_t d, float* to) {
  if (format != KvFormat::kI8) return DecodeKeys(format, from, d, to);
  const std::int64_t n = d * kKvBlock, group = KvGroup(d);
  for (std::int64_t i = 0; i < n; i += kLanes)
    StoreFV(to + i, LoadS8FV(from + i) * Bf16At(from + n + 2 * (i / group)));
}

// What one call works on; query n is row n / heads, head n % heads.
struct AttendState {
  const AttendJob& job;
  std::int64_t d, queries;
  float *keys, *values;  // the block at hand, decoded
  float* scores;         // [queries, kKvBlock]
  float *tops, *sums;    // [queries]: running maximum and sum
  GPTOSS_INLINE const float* Query(std::int64_t n) const {
    return job.queries + n / job.heads * job.row_stride + n % job.heads * d;
  }
  GPTOSS_INLINE float* Out(std::int64_t n) const {
    return job.out + n / job.heads * job.row_stride + n % job.heads * d;
  }
};

template <int N>
GPTOSS_INLINE void ScoreTile(const AttendState& s, std::int64_t n) {
  const float* q[N];
  for (int k = 0; k < N; ++k) q[k] = s.Query(n + k);
  for (std::int64_t at = 0; at < kKvBlock; at += kPanel * kLanes) {
    FV sums[N][kPanel] = {};
    for (std::int64_t i = 0; i < s.d; ++i) {
      FV keys[kPanel];
      for (int p = 0; p < kPanel; ++p) keys[p] = LoadFV(s.keys + i * kKvBlock + at + p * kLanes);
      for (int k = 0; k < N; ++k) {
        for (int p = 0; p < kPanel; ++p) sums[k][p] += keys[p] * q[k][i];
      }
    }
    for (int k = 0; k < N; ++k) {
      for (int p = 0; p < kPanel; ++p)
        StoreFV(s.scores + (n + k) * kKvBlock + at + p * kLanes, sums[k][p] * s.job.scale);
    }
  }
}

// out += weights · values for positions [begin, end) of the block; P vectors of dimensions at a time.
template <int N, int P>
GPTOSS_INLINE void WeighTile(const AttendState& s, std::int64_t n, std::int64_t at, std::int64_t begin,
                             std::int64_t end) {
  const float* weights = s.scores + n * kKvBlock;
  float* out[N];
  FV sums[N][P];
  for (int k = 0; k < N; ++k) {
    out[k] = s.Out(n + k) + at;
    for (int p = 0; p < P; ++p) sums[k][p] = LoadFV(out[k] + p * kLanes);
  }
  for (std::int64_t j = begin; j < end; ++j) {
    FV values[P];
    for (int p = 0; p < P; ++p) values[p] = LoadFV(s.values + j * s.d + at + p * kLanes);
    for (int k = 0; k < N; ++k) {
      for (int p = 0; p < P; ++p) sums[k][p] += values[p] * weights[k * kKvBlock + j];
    }
  }
  for (int k = 0; k < N; ++k) {
    for (int p = 0; p < P; ++p) StoreFV(out[k] + p * kLanes, sums[k][p]);
  }
}

template <int N>
GPTOSS_INLINE void WeighTiles(const AttendState& s, std::int64_t n, std::int64_t begin, std::int64_t end) {
  std::int64_t at = 0;
  for (; at + kPanel * kLanes <= s.d; at += kPanel * kLanes) WeighTile<N, kPanel>(s, n, at, begin, end);
  for (; at < s.d; at += kLanes) WeighTile<N, 1>(s, n, at, begin, end);
}

// Scores of query n become weights: those outside [begin, end) zero, the rest relative to the new maximum, to
// which what was summed before is brought as well.
GPTOSS_INLINE void Reweigh(const AttendState& s, std::int64_t n, std::int64_t begin, std::int64_t end) {
  float* scores = s.scores + n * kKvBlock;
  for (std::int64_t j = 0; j < begin; ++j) scores[j] = -__builtin_inff();
  for (std::int64_t j = end; j < kKvBlock; ++j) scores[j] = -__builtin_inff();
  FV best = LoadFV(scores);
  for (std::int64_t j = kLanes; j < kKvBlock; j += kLanes) {
    const FV other = LoadFV(scores + j);
    best = other > best ? other : best;
  }
  float top = s.tops[n];
  for (int i = 0; i < kLanes; ++i) top = best[i] > top ? best[i] : top;
  if (top != s.tops[n]) {
    const float shrink = Exp(FV{} + (s.tops[n] - top))[0];
    s.sums[n] *= shrink;
    float* out = s.Out(n);
    for (std::int64_t i = 0; i < s.d; i += kLanes) StoreFV(out + i, LoadFV(out + i) * shrink);
    s.tops[n] = top;
  }
  FV sum = {};
  for (std::int64_t j = 0; j < kKvBlock; j += kLanes) {
    const FV weight = Exp(LoadFV(scores + j) - top);
    StoreFV(scores + j, weight);
    sum += weight;
  }
  s.sums[n] += Lanes(sum);
}

// Softmax with a sink: the sink takes part in the maximum and the sum and contributes no value.
void Attend(const AttendJob& job) {
  const std::int64_t d = job.head_dim, queries = job.rows * job.heads;
  float* scratch = job.scratch;
  const auto take = [&scratch](std::int64_t floats) {
    scratch += floats;
    return scratch - floats;
  };
  const AttendState s{.job = job,
                      .d = d,
                      .queries = queries,
                      .keys = take(d * kKvBlock),
                      .values = take(d * kKvBlock),
                      .scores = take(queries * kKvBlock),
                      .tops = take(queries),
                      .sums = take(queries)};
  for (std::int64_t n = 0; n < queries; ++n) {
    s.tops[n] = job.sinks[n % job.heads];
    s.sums[n] = 1;
    for (std::int64_t i = 0; i < d; ++i) s.Out(n)[i] = 0;
  }
  const auto clamp = [](std::int64_t v) { return v < 0 ? 0 : v > kKvBlock ? kKvBlock : v; };
  std::int64_t start = job.first;
  for (const KvBlock& block : job.blocks) {
    // The first row sees the oldest position, the last one the newest.
    const auto begin = [&](std::int64_t row) {
      return clamp(job.window == 0 ? 0 : job.position + row - job.window + 1 - start);
    };
    const auto end = [&](std::int64_t row) { return clamp(job.position + row + 1 - start); };
    DecodeKeys(job.format, block.keys, d, s.keys);
    DecodeValues(job.format, block.values, d, s.values);
    std::int64_t n = 0;
    for (; n + kTileQueries <= queries; n += kTileQueries) ScoreTile<kTileQueries>(s, n);
    for (; n < queries; ++n) ScoreTile<1>(s, n);
    for (n = 0; n < queries; ++n) Reweigh(s, n, begin(n / job.heads), end(n / job.heads));
    const std::int64_t seen_from = begin(0), seen_to = end(job.rows - 1);
    for (n = 0; n + kTileQueries <= queries; n += kTileQueries)
      WeighTiles<kTileQueries>(s, n, seen_from, seen_to);
    for (; n < queries; ++n) WeighTiles<1>(s, n, seen_from, seen_to);
    start += kKvBlock;
  }
  for (std::int64_t n = 0; n < queries; ++n) {
    float* out = s.Out(n);
    const float inverse = 1.0f / s.sums[n];
    for (std::int64_t i = 0; i < d; ++i) out[i] *= inverse;
  }
}
