// 128-bit primitives of AArch64, shared by the plain NEON and the dot-product file. A body: see
// kernels_body.h.
#pragma once

struct Codes {
  int8x16_t low, high;
};
struct Sum {
  float32x4_t v = vdupq_n_f32(0);
};

inline int8x16_t Lookup(uint8x16_t nibbles) {
  const int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  return vqtbl1q_s8(vld1q_s8(values), nibbles);
}
inline uint8x16_t LoadBytes(const std::byte* p) { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(p)); }
inline Codes LoadSplit(const std::byte* p) {
  const uint8x16_t packed = LoadBytes(p);
  const uint8x16_t low = vandq_u8(packed, vdupq_n_u8(15)), high = vshrq_n_u8(packed, 4);
  return {Lookup(vzip1q_u8(low, high)), Lookup(vzip2q_u8(low, high))};
}
inline Codes LoadGguf(const std::byte* p) {
  const uint8x16_t packed = LoadBytes(p);
  return {Lookup(vandq_u8(packed, vdupq_n_u8(15))), Lookup(vshrq_n_u8(packed, 4))};
}
inline Codes LoadS8(const std::byte* p) {
  return {vreinterpretq_s8_u8(LoadBytes(p)), vreinterpretq_s8_u8(LoadBytes(p + 16))};
}
inline Codes LoadU8(const std::byte* p) {
  const uint8x16_t flip = vdupq_n_u8(128);
  return {vreinterpretq_s8_u8(veorq_u8(LoadBytes(p), flip)),
          vreinterpretq_s8_u8(veorq_u8(LoadBytes(p + 16), flip))};
}
inline float Total(const Sum& sum) { return vaddvq_f32(sum.v); }
inline void Widen(const Codes& c, float* out) {
  std::int8_t bytes[32];
  vst1q_s8(bytes, c.low);
  vst1q_s8(bytes + 16, c.high);
  for (int i = 0; i < 32; ++i) out[i] = bytes[i];
}
