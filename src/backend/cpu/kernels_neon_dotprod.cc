// Compiled with -march=armv8.2-a+dotprod (every Apple silicon has it).
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernel_sets.h"
#include "backend/cpu/kernels.h"

namespace gptoss::neon_dotprod {
namespace {

#include "backend/cpu/kernels_neon_body.h"

inline void Accumulate(Sum& sum, const Codes& c, const std::int8_t* a, float scale) {
  const int32x4_t first = vdotq_s32(vdupq_n_s32(0), c.low, vld1q_s8(a));
  sum.v = vfmaq_n_f32(sum.v, vcvtq_f32_s32(vdotq_s32(first, c.high, vld1q_s8(a + 16))), scale);
}

#include "backend/cpu/kernels_body.h"

bool Usable(const CpuFeatures& cpu) { return cpu.neon_dotprod; }

}  // namespace

const KernelSet kKernels = {"neon_dotprod", Usable, Quantize, MatMulInt8, MatMulFloat, Attend, Swiglu};

}  // namespace gptoss::neon_dotprod
