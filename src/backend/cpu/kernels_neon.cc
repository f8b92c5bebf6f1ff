// Every AArch64 CPU.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernel_sets.h"
#include "backend/cpu/kernels.h"

namespace gptoss::neon {
namespace {

#include "backend/cpu/kernels_neon_body.h"

inline void Accumulate(Sum& sum, const Codes& c, const std::int8_t* a, float scale) {
  const int8x16_t x = vld1q_s8(a), y = vld1q_s8(a + 16);
  // Two products of at most 128 · 127 fit in 16 bits; more are added in 32.
  int32x4_t dots = vpaddlq_s16(vmull_s8(vget_low_s8(c.low), vget_low_s8(x)));
  dots = vpadalq_s16(dots, vmull_high_s8(c.low, x));
  dots = vpadalq_s16(dots, vmull_s8(vget_low_s8(c.high), vget_low_s8(y)));
  dots = vpadalq_s16(dots, vmull_high_s8(c.high, y));
  sum.v = vfmaq_n_f32(sum.v, vcvtq_f32_s32(dots), scale);
}

#include "backend/cpu/kernels_body.h"

bool Usable(const CpuFeatures& cpu) { return cpu.neon; }

}  // namespace

const KernelSet kKernels = {"neon", Usable, Quantize, MatMulInt8, MatMulFloat, Attend, Swiglu};

}  // namespace gptoss::neon
