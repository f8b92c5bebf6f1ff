// 256-bit integer primitives of AVX2, shared by the AVX2 and the AVX-512 VNNI files. A body: see
// kernels_body.h. 256 bits also with AVX-512: a block of 32 codes has its own scale, and two blocks per
// register cost a blend.
#pragma once

struct Codes {
  __m256i v;
};
struct Sum {
  __m256 v = _mm256_setzero_ps();
};

inline __m256i Lookup(__m256i nibbles) {
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12));
  return _mm256_shuffle_epi8(table, nibbles);
}
inline Codes LoadSplit(const std::byte* p) {
  const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i mask = _mm_set1_epi8(15);
  const __m128i low = _mm_and_si128(packed, mask), high = _mm_and_si128(_mm_srli_epi16(packed, 4), mask);
  return {Lookup(_mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high)))};
}
inline Codes LoadGguf(const std::byte* p) {
  const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m256i both = _mm256_set_m128i(_mm_srli_epi16(packed, 4), packed);
  return {Lookup(_mm256_and_si256(both, _mm256_set1_epi8(15)))};
}
inline Codes LoadS8(const std::byte* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
inline Codes LoadU8(const std::byte* p) {
  return {_mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), _mm256_set1_epi8(-128))};
}
inline float Total(const Sum& sum) {
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(sum.v), _mm256_extractf128_ps(sum.v, 1));
  const __m128 quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}
inline void Widen(const Codes& c, float* out) {
  alignas(32) std::int8_t bytes[32];
  _mm256_store_si256(reinterpret_cast<__m256i*>(bytes), c.v);
  for (int i = 0; i < 32; i += 8) {
    const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes + i));
    _mm256_storeu_ps(out + i, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight)));
  }
}
