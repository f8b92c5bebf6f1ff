// 8-bit products of AVX-512 VNNI with 16 weight rows side by side, one per lane. A body: included by
// kernels_avx512.cc after kernels_body.h, in its namespace.
//
// Every lane adds the blocks of its row in the order of the columns, and the product of a block is an exact
// integer, so one row of activations (DotTile) and many (PackedTile) give the same bits.
// Codes are unsigned here, as the instruction wants: w = scale · u + bias, where bias = −offset · scale for
// the formats with signed codes.
#pragma once

constexpr std::int64_t kMaxBlocks = 128;  // wider matrices take the general body

struct ScaleTable {
  alignas(64) float scale[kMaxBlocks][16];
  alignas(64) float bias[kMaxBlocks][16];
};
struct TileRows {
  const std::byte* data[16];
  const std::byte* scales[16];
  const std::byte* biases[16];
};

GPTOSS_INLINE __m128i Load16(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
GPTOSS_INLINE __m256i Load32(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
GPTOSS_INLINE __m512i Join(__m128i a, __m128i b, __m128i c, __m128i d) {
  const __m512i ab = _mm512_inserti32x4(_mm512_castsi128_si512(a), b, 1);
  return _mm512_inserti32x4(_mm512_inserti32x4(ab, c, 2), d, 3);
}
GPTOSS_INLINE __m512i Join(__m256i a, __m256i b) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}
GPTOSS_INLINE __m512i Nibbles(__m512i v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
GPTOSS_INLINE __m512i E2m1(__m512i nibbles) {  // doubled, plus 12
  const __m128i table = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), nibbles);
}
GPTOSS_INLINE __m512i Flip(__m512i v) { return _mm512_xor_si512(v, _mm512_set1_epi8(-128)); }

// In: 128-bit lane g of z[k] belongs to row 4g + k. Out: z[i], lane r = 32-bit word i of row r.
GPTOSS_INLINE void Transpose(__m512i z[4]) {
  const __m512i a = _mm512_unpacklo_epi32(z[0], z[1]), b = _mm512_unpacklo_epi32(z[2], z[3]);
  const __m512i c = _mm512_unpackhi_epi32(z[0], z[1]), d = _mm512_unpackhi_epi32(z[2], z[3]);
  z[0] = _mm512_unpacklo_epi64(a, b), z[1] = _mm512_unpackhi_epi64(a, b);
  z[2] = _mm512_unpacklo_epi64(c, d), z[3] = _mm512_unpackhi_epi64(c, d);
}
// `bytes` <= 16 from each of 16 rows, never beyond.
GPTOSS_INLINE void LoadWords(const std::byte* const rows[16], std::int64_t at, std::int64_t bytes,
                             __m512i z[4]) {
  const auto mask = static_cast<__mmask16>((1U << bytes) - 1);
  for (int k = 0; k < 4; ++k) {
    z[k] = Join(_mm_maskz_loadu_epi8(mask, rows[k] + at), _mm_maskz_loadu_epi8(mask, rows[4 + k] + at),
                _mm_maskz_loadu_epi8(mask, rows[8 + k] + at), _mm_maskz_loadu_epi8(mask, rows[12 + k] + at));
  }
  Transpose(z);
}
GPTOSS_INLINE __m512 Power(__m512i e8m0) {  // 2^(s − 127), and 2^−127 for s = 0; halved: codes are doubled
  const __m512i bits = _mm512_max_epu32(_mm512_slli_epi32(e8m0, 23), _mm512_set1_epi32(0x00400000));
  return _mm512_mul_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(0.5f));
}
GPTOSS_INLINE void SetSigned(ScaleTable& t, std::int64_t b, __m512 scale, float offset) {
  _mm512_store_ps(t.scale[b], scale);
  _mm512_store_ps(t.bias[b], _mm512_mul_ps(scale, _mm512_set1_ps(-offset)));
}

struct WideSplit {
  static constexpr std::int64_t kBytes = 16;
  static constexpr bool kNibbles = true;
  static GPTOSS_INLINE __m512i Packed(const std::byte* p, int blocks) {  // one block per 128-bit lane
    return blocks == 4 ? _mm512_loadu_si512(p)
                       : _mm512_maskz_loadu_epi64(static_cast<__mmask8>((1U << 2 * blocks) - 1), p);
  }
  // The activations that meet the low nibbles of a block, then those that meet the high ones.
  static GPTOSS_INLINE __m256i Arrange(__m256i x) {
    const __m256i even_odd =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(x, even_odd), 0xD8);
  }
  // One block of four rows: codes 0–15 of each in `low`, 16–31 in `high`.
  static GPTOSS_INLINE void Four(const std::byte* a, const std::byte* b, const std::byte* c,
                                 const std::byte* d, __m512i& low, __m512i& high) {
    const __m512i packed = Join(Load16(a), Load16(b), Load16(c), Load16(d));
    const __m512i even = E2m1(Nibbles(packed)), odd = E2m1(Nibbles(_mm512_srli_epi16(packed, 4)));
    low = _mm512_unpacklo_epi8(even, odd), high = _mm512_unpackhi_epi8(even, odd);
  }
  static void Scales(const TileRows& rows, std::int64_t blocks, ScaleTable& t) {
    for (std::int64_t b = 0; b < blocks; b += 16) {
      __m512i words[4];
      LoadWords(rows.scales, b, blocks - b < 16 ? blocks - b : 16, words);
      for (std::int64_t i = 0; i < 16 && b + i < blocks; ++i) {
        const __m512i byte = _mm512_srl_epi32(words[i / 4], _mm_cvtsi64_si128(i % 4 * 8));
        SetSigned(t, b + i, Power(_mm512_and_si512(byte, _mm512_set1_epi32(255))), 12);
      }
    }
  }
};

struct WideGguf {
  static constexpr std::int64_t kBytes = 17;
  static constexpr bool kNibbles = true;
  static GPTOSS_INLINE __m512i Packed(const std::byte* p, int blocks) {
    const __m128i none = _mm_setzero_si128();
    return Join(Load16(p + 1), blocks > 1 ? Load16(p + 18) : none, blocks > 2 ? Load16(p + 35) : none,
                blocks > 3 ? Load16(p + 52) : none);
  }
  static GPTOSS_INLINE __m256i Arrange(__m256i x) { return x; }
  static GPTOSS_INLINE void Four(const std::byte* a, const std::byte* b, const std::byte* c,
                                 const std::byte* d, __m512i& low, __m512i& high) {
    const __m512i packed = Join(Load16(a + 1), Load16(b + 1), Load16(c + 1), Load16(d + 1));
    low = E2m1(Nibbles(packed)), high = E2m1(Nibbles(_mm512_srli_epi16(packed, 4)));
  }
  static void Scales(const TileRows& rows, std::int64_t blocks, ScaleTable& t) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      alignas(16) std::byte bytes[16];
      for (int r = 0; r < 16; ++r) bytes[r] = rows.data[r][17 * b];
      SetSigned(t, b, Power(_mm512_cvtepu8_epi32(Load16(bytes))), 12);
    }
  }
};

struct WideQ8 {
  static constexpr std::int64_t kBytes = 34;
  static constexpr bool kNibbles = false;
  static GPTOSS_INLINE __m512i Two(const std::byte* p) { return Flip(Join(Load32(p + 2), Load32(p + 36))); }
  static GPTOSS_INLINE __m512i One(const std::byte* p) { return Flip(Join(Load32(p + 2), Load32(p + 2))); }
  static GPTOSS_INLINE void Four(const std::byte* a, const std::byte* b, const std::byte* c,
                                 const std::byte* d, __m512i& low, __m512i& high) {
    low = Flip(Join(Load16(a + 2), Load16(b + 2), Load16(c + 2), Load16(d + 2)));
    high = Flip(Join(Load16(a + 18), Load16(b + 18), Load16(c + 18), Load16(d + 18)));
  }
  static void Scales(const TileRows& rows, std::int64_t blocks, ScaleTable& t) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      alignas(32) std::byte halves[32];
      for (int r = 0; r < 16; ++r) __builtin_memcpy(halves + 2 * r, rows.data[r] + 34 * b, 2);
      SetSigned(t, b, _mm512_cvtph_ps(Load32(halves)), 128);
    }
  }
};

struct WideAffine {
  static constexpr std::int64_t kBytes = 32;
  static constexpr bool kNibbles = false;
  static GPTOSS_INLINE __m512i Two(const std::byte* p) { return _mm512_loadu_si512(p); }
  static GPTOSS_INLINE __m512i One(const std::byte* p) { return Join(Load32(p), Load32(p)); }
  static GPTOSS_INLINE void Four(const std::byte* a, const std::byte* b, const std::byte* c,
                                 const std::byte* d, __m512i& low, __m512i& high) {
    low = Join(Load16(a), Load16(b), Load16(c), Load16(d));
    high = Join(Load16(a + 16), Load16(b + 16), Load16(c + 16), Load16(d + 16));
  }
  static GPTOSS_INLINE void Groups(const std::byte* const rows[16], std::int64_t groups, float (*out)[16]) {
    for (std::int64_t g = 0; g < groups; g += 8) {
      __m512i words[4];
      LoadWords(rows, 2 * g, groups - g < 8 ? 2 * (groups - g) : 16, words);
      for (std::int64_t i = 0; i < 8 && g + i < groups; ++i) {
        const __m512i word = words[i / 2];
        const __m512i bf16 =
            i % 2 == 0 ? _mm512_slli_epi32(word, 16) : _mm512_and_si512(word, _mm512_set1_epi32(-0x10000));
        _mm512_store_ps(out[2 * (g + i)], _mm512_castsi512_ps(bf16));
        _mm512_store_ps(out[2 * (g + i) + 1], _mm512_castsi512_ps(bf16));
      }
    }
  }
  static void Scales(const TileRows& rows, std::int64_t blocks, ScaleTable& t) {
    Groups(rows.scales, blocks / 2, t.scale);
    Groups(rows.biases, blocks / 2, t.bias);
  }
};

// The rows of a tile; beyond the last one it is repeated, and its results are not stored.
TileRows RowsOfTile(const MatrixView& m, std::int64_t first, std::int64_t count) {
  TileRows rows;
  for (std::int64_t k = 0; k < 16; ++k) {
    const std::int64_t r = first + (k < count ? k : count - 1);
    rows.data[k] = m.data + r * m.row_stride;
    rows.scales[k] = m.scales == nullptr ? nullptr : m.scales + r * m.scale_stride;
    rows.biases[k] = m.biases == nullptr ? nullptr : m.biases + r * m.scale_stride;
  }
  return rows;
}

GPTOSS_INLINE void AddBlock(__m512& sum, __m512i dots, const ScaleTable& t, std::int64_t b, float scale,
                            float codes_sum) {
  const __m512 both = _mm512_mul_ps(_mm512_load_ps(t.scale[b]), _mm512_set1_ps(scale));
  sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), both, sum);
  sum = _mm512_fmadd_ps(_mm512_load_ps(t.bias[b]), _mm512_set1_ps(codes_sum), sum);
}
GPTOSS_INLINE void StoreTile(const MatMulJob& job, std::int64_t r, std::int64_t j, std::int64_t count,
                             __m512 sum) {
  const auto mask = static_cast<__mmask16>((1U << count) - 1);
  if (job.bias != nullptr) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, job.bias + r));
  _mm512_mask_storeu_ps(job.out + j * job.out_stride + r, mask, sum);
}
// Four rows' products of two blocks: each 128-bit lane becomes the sums of rows 0–3 over that lane.
GPTOSS_INLINE __m512i SumLanes(const __m512i d[4]) {
  const __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(d[0], d[1]), _mm512_unpackhi_epi32(d[0], d[1]));
  const __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(d[2], d[3]), _mm512_unpackhi_epi32(d[2], d[3]));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}
GPTOSS_INLINE __m512i AddHalves(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
}

// Blocks b and, unless it is the last, b + 1 of 16 weight rows × one row of activations.
template <typename Format, bool kTwo>
GPTOSS_INLINE void DotStep(const TileRows& rows, const ScaleTable& t, std::int64_t b, std::int64_t ahead,
                           const std::int8_t* codes, const float* scales, const float* sums, __m512& sum) {
  const auto* at = reinterpret_cast<const std::byte*>(codes + 32 * b);
  const __m512i x = kTwo ? _mm512_loadu_si512(at) : _mm512_zextsi256_si512(Load32(at));
  __m512i quads[4];
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    __m512i d[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const std::byte* p = rows.data[4 * g + k] + Format::kBytes * b;
      __builtin_prefetch(p + ahead);
      d[k] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), kTwo ? Format::Two(p) : Format::One(p), x);
    }
    quads[g] = SumLanes(d);
  }
  const __m512i low = AddHalves(quads[0], quads[1]), high = AddHalves(quads[2], quads[3]);
  AddBlock(sum, _mm512_shuffle_i32x4(low, high, 0x88), t, b, scales[b], sums[b]);
  if constexpr (kTwo) {
    AddBlock(sum, _mm512_shuffle_i32x4(low, high, 0xDD), t, b + 1, scales[b + 1], sums[b + 1]);
  }
}

// Activations as the 4-bit formats meet them: for four blocks the 4 × 16 codes of the low nibbles, then those
// of the high ones; zeros beyond the last block.
template <typename Format>
void ArrangeCodes(const std::int8_t* codes, std::int64_t blocks, std::byte* out) {
  for (std::int64_t b = 0; b < (blocks + 3) / 4 * 4; ++b) {
    __m256i x = _mm256_setzero_si256();
    if (b < blocks) x = Format::Arrange(Load32(reinterpret_cast<const std::byte*>(codes + 32 * b)));
    std::byte* to = out + b / 4 * 128 + b % 4 * 16;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(x));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 64), _mm256_extracti128_si256(x, 1));
  }
}

// As DotStep, for kBlocks (at most four) blocks of a 4-bit format, one per 128-bit lane.
template <typename Format, int kBlocks>
GPTOSS_INLINE void NibbleStep(const TileRows& rows, const ScaleTable& t, std::int64_t b, std::int64_t ahead,
                              const std::byte* arranged, const float* scales, const float* sums,
                              __m512& sum) {
  const __m512i x = _mm512_loadu_si512(arranged + 32 * b), y = _mm512_loadu_si512(arranged + 32 * b + 64);
  __m512i quads[4];
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    __m512i d[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const std::byte* p = rows.data[4 * g + k] + Format::kBytes * b;
      __builtin_prefetch(p + ahead);
      const __m512i packed = Format::Packed(p, kBlocks);
      const __m512i low = E2m1(Nibbles(packed)), high = E2m1(Nibbles(_mm512_srli_epi16(packed, 4)));
      d[k] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), low, x), high, y);
    }
    quads[g] = SumLanes(d);
  }
  const __m512i a01 = _mm512_shuffle_i32x4(quads[0], quads[1], 0x44);
  const __m512i a23 = _mm512_shuffle_i32x4(quads[2], quads[3], 0x44);
  AddBlock(sum, _mm512_shuffle_i32x4(a01, a23, 0x88), t, b, scales[b], sums[b]);
  if constexpr (kBlocks > 1)
    AddBlock(sum, _mm512_shuffle_i32x4(a01, a23, 0xDD), t, b + 1, scales[b + 1], sums[b + 1]);
  const __m512i b01 = _mm512_shuffle_i32x4(quads[0], quads[1], 0xEE);
  const __m512i b23 = _mm512_shuffle_i32x4(quads[2], quads[3], 0xEE);
  if constexpr (kBlocks > 2)
    AddBlock(sum, _mm512_shuffle_i32x4(b01, b23, 0x88), t, b + 2, scales[b + 2], sums[b + 2]);
  if constexpr (kBlocks > 3)
    AddBlock(sum, _mm512_shuffle_i32x4(b01, b23, 0xDD), t, b + 3, scales[b + 3], sums[b + 3]);
}

// 16 weight rows × one row of activations: waits for memory, so the next tile is asked for meanwhile.
template <typename Format>
void DotTile(const MatMulJob& job, const ActivationRows& a, const TileRows& rows, const ScaleTable& t,
             std::int64_t r, std::int64_t count, std::int64_t j) {
  const std::int64_t blocks = a.cols / 32, source = job.index == nullptr ? j : job.index[j];
  const std::int8_t* codes = a.codes + source * a.cols;
  const float *scales = a.scales + source * blocks, *sums = a.sums + source * blocks;
  const std::int64_t ahead = 16 * job.weights.row_stride;
  __m512 sum = _mm512_setzero_ps();
  std::int64_t b = 0;
  if constexpr (Format::kNibbles) {
    alignas(64) std::byte x[32 * kMaxBlocks];
    ArrangeCodes<Format>(codes, blocks, x);
    for (; b + 4 <= blocks; b += 4) NibbleStep<Format, 4>(rows, t, b, ahead, x, scales, sums, sum);
    if (blocks - b == 3) NibbleStep<Format, 3>(rows, t, b, ahead, x, scales, sums, sum);
    if (blocks - b == 2) NibbleStep<Format, 2>(rows, t, b, ahead, x, scales, sums, sum);
    if (blocks - b == 1) NibbleStep<Format, 1>(rows, t, b, ahead, x, scales, sums, sum);
  } else {
    for (; b + 2 <= blocks; b += 2) DotStep<Format, true>(rows, t, b, ahead, codes, scales, sums, sum);
    if (b < blocks) DotStep<Format, false>(rows, t, b, ahead, codes, scales, sums, sum);
  }
  StoreTile(job, r, j, count, sum);
}

// packed[8 · b + i], lane r: codes 4i … 4i + 3 of block b of row r.
template <typename Format>
void Pack(const TileRows& rows, std::int64_t blocks, __m512i* packed) {
  for (std::int64_t b = 0; b < blocks; ++b) {
    __m512i low[4], high[4];
    for (int k = 0; k < 4; ++k) {
      const std::int64_t at = Format::kBytes * b;
      Format::Four(rows.data[k] + at, rows.data[4 + k] + at, rows.data[8 + k] + at, rows.data[12 + k] + at,
                   low[k], high[k]);
    }
    Transpose(low), Transpose(high);
    for (int i = 0; i < 4; ++i) packed[8 * b + i] = low[i], packed[8 * b + 4 + i] = high[i];
  }
}

// 16 weight rows × N rows of activations.
template <int N>
void PackedTile(const MatMulJob& job, const ActivationRows& a, const __m512i* packed, const ScaleTable& t,
                std::int64_t r, std::int64_t count, std::int64_t j) {
  const std::int64_t blocks = a.cols / 32;
  std::int64_t source[N];
  for (int n = 0; n < N; ++n) source[n] = job.index == nullptr ? j + n : job.index[j + n];
  __m512 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm512_setzero_ps();
  for (std::int64_t b = 0; b < blocks; ++b) {
    for (int n = 0; n < N; ++n) {
      const std::int8_t* x = a.codes + source[n] * a.cols + 32 * b;
      __m512i dots = _mm512_setzero_si512();
      for (int i = 0; i < 8; ++i) {
        std::int32_t word;
        __builtin_memcpy(&word, x + 4 * i, 4);
        dots = _mm512_dpbusd_epi32(dots, packed[8 * b + i], _mm512_set1_epi32(word));
      }
      AddBlock(sum[n], dots, t, b, a.scales[source[n] * blocks + b], a.sums[source[n] * blocks + b]);
    }
  }
  for (int n = 0; n < N; ++n) StoreTile(job, r, j + n, count, sum[n]);
}

template <typename Format>
void WideMatMul(const MatMulJob& job, const ActivationRows& a) {
  ScaleTable table;
  alignas(64) __m512i packed[8 * kMaxBlocks];
  const std::int64_t blocks = a.cols / 32;
  for (std::int64_t r = job.row_begin; r < job.row_end; r += 16) {
    const std::int64_t count = job.row_end - r < 16 ? job.row_end - r : 16;
    const TileRows rows = RowsOfTile(job.weights, r, count);
    Format::Scales(rows, blocks, table);
    if (job.count < 4) {
      for (std::int64_t j = 0; j < job.count; ++j) DotTile<Format>(job, a, rows, table, r, count, j);
      continue;
    }
    Pack<Format>(rows, blocks, packed);
    std::int64_t j = 0;
    for (; j + 8 <= job.count; j += 8) PackedTile<8>(job, a, packed, table, r, count, j);
    for (; j + 4 <= job.count; j += 4) PackedTile<4>(job, a, packed, table, r, count, j);
    for (; j < job.count; ++j) PackedTile<1>(job, a, packed, table, r, count, j);
  }
}

void MatMulInt8Wide(const MatMulJob& job, const ActivationRows& a) {
  if (a.cols > 32 * kMaxBlocks) return MatMulInt8(job, a);
  switch (job.weights.format) {
    case WeightFormat::kMxfp4Split:
      return WideMatMul<WideSplit>(job, a);
    case WeightFormat::kMxfp4Gguf:
      return WideMatMul<WideGguf>(job, a);
    case WeightFormat::kQ8_0:
      return WideMatMul<WideQ8>(job, a);
    case WeightFormat::kAffine8:
      return WideMatMul<WideAffine>(job, a);
    default:
      return;
  }
}
