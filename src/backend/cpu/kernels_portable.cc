// Plain C++: the fallback, and what the others are compared with.
#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernel_sets.h"
#include "backend/cpu/kernels.h"

namespace gptoss::portable {
namespace {

struct Codes {
  std::int8_t v[32];
};
struct Sum {
  float v = 0;
};

constexpr std::int8_t kDoubledE2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

inline Codes LoadSplit(const std::byte* p) {
  Codes c;
  for (int i = 0; i < 16; ++i) {
    c.v[2 * i] = kDoubledE2m1[static_cast<unsigned>(p[i]) & 15];
    c.v[2 * i + 1] = kDoubledE2m1[static_cast<unsigned>(p[i]) >> 4];
  }
  return c;
}
inline Codes LoadGguf(const std::byte* p) {
  Codes c;
  for (int i = 0; i < 16; ++i) {
    c.v[i] = kDoubledE2m1[static_cast<unsigned>(p[i]) & 15];
    c.v[i + 16] = kDoubledE2m1[static_cast<unsigned>(p[i]) >> 4];
  }
  return c;
}
inline Codes LoadS8(const std::byte* p) {
  Codes c;
  __builtin_memcpy(c.v, p, 32);
  return c;
}
inline Codes LoadU8(const std::byte* p) {
  Codes c;
  for (int i = 0; i < 32; ++i) c.v[i] = static_cast<std::int8_t>(static_cast<int>(p[i]) - 128);
  return c;
}
inline void Accumulate(Sum& sum, const Codes& c, const std::int8_t* a, float scale) {
  std::int32_t dot = 0;
  for (int i = 0; i < 32; ++i) dot += c.v[i] * a[i];
  sum.v += static_cast<float>(dot) * scale;
}
inline float Total(const Sum& sum) { return sum.v; }
inline void Widen(const Codes& c, float* out) {
  for (int i = 0; i < 32; ++i) out[i] = c.v[i];
}

#include "backend/cpu/kernels_body.h"

bool Usable(const CpuFeatures&) { return true; }

}  // namespace

const KernelSet kKernels = {"portable", Usable, Quantize, MatMulInt8, MatMulFloat, Attend, Swiglu};

}  // namespace gptoss::portable
