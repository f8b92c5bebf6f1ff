// Vectors of floats as wide as the instruction set has them, and the exponential. Part of kernels_body.h.
// This is a body, not an interface.
#pragma once

#if defined(__AVX512F__)
constexpr int kLanes = 16, kPanel = 4;  // 4 queries × 4 vectors of sums fill half of 32 registers
#else
constexpr int kLanes = 8, kPanel = 2;
#endif
typedef float FV __attribute__((vector_size(4 * kLanes)));
typedef std::int32_t IV __attribute__((vector_size(4 * kLanes)));
typedef std::uint32_t UV __attribute__((vector_size(4 * kLanes)));

GPTOSS_INLINE FV LoadFV(const float* p) {
  FV v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
GPTOSS_INLINE void StoreFV(float* p, FV v) { __builtin_memcpy(p, &v, sizeof v); }
GPTOSS_INLINE FV LoadBf16FV(const std::byte* p) {
  typedef std::uint16_t Narrow __attribute__((vector_size(2 * kLanes)));
  Narrow narrow;
  __builtin_memcpy(&narrow, p, sizeof narrow);
  const UV wide = __builtin_convertvector(narrow, UV) << 16;
  FV v;
  __builtin_memcpy(&v, &wide, sizeof v);
  return v;
}
GPTOSS_INLINE FV LoadS8FV(const std::byte* p) {
  typedef std::int8_t Narrow __attribute__((vector_size(kLanes)));
  Narrow narrow;
  __builtin_memcpy(&narrow, p, sizeof narrow);
  return __builtin_convertvector(narrow, FV);
}
GPTOSS_INLINE float Lanes(FV v) {
  float sum[kLanes];
  StoreFV(sum, v);
  for (int n = kLanes / 2; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) sum[i] += sum[i + n];
  }
  return sum[0];
}

// e^x for x ≤ 0 (x = −∞ gives exactly 0, NaN stays NaN): 2^n · e^r with a polynomial of degree 6 in
// |r| ≤ ln 2 / 2; relative error below 3e-7. Below −87 the result is 0.
GPTOSS_INLINE FV Exp(FV x) {
  const FV floor = FV{} - 87.0f;
  const IV small = x <= floor;
  x = small ? floor : x;
  const FV magic = FV{} + 12582912.0f;  // 1.5 · 2^23: the sum's low bits are the nearest integer
  const FV shifted = x * 1.44269504f + magic;
  const FV n = shifted - magic;
  FV r = x - n * 0.693359375f;  // ln 2 in two parts: the first has few bits, so the product is exact
  r = r + n * 2.12194440e-4f;
  FV p = r * 1.38888889e-3f + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  UV bits, magic_bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  __builtin_memcpy(&magic_bits, &magic, sizeof bits);
  const UV power = (bits - magic_bits + 127U) << 23;
  FV scale;
  __builtin_memcpy(&scale, &power, sizeof scale);
  return small ? FV{} : p * scale;
}

// out = min(gate, limit) · sigmoid(alpha · min(gate, limit)) · (clamp(up, ±limit) + 1), n a multiple of 16.
void Swiglu(const float* gate, const float* up, std::int64_t n, float limit, float alpha, float* out) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const FV high = FV{} + limit;
    FV g = LoadFV(gate + i), u = LoadFV(up + i);
    g = g > high ? high : g;
    u = u > high ? high : u < -high ? -high : u;
    const FV x = g * alpha;
    // e^−|x| cannot overflow, and gives the sigmoid on both sides.
    const FV e = Exp(x > FV{} ? -x : x);
    const FV sigmoid = (x > FV{} ? FV{} + 1.0f : e) / (e + 1.0f);
    StoreFV(out + i, g * sigmoid * (u + 1.0f));
  }
}
