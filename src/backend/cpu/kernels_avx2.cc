// Compiled with -mavx2 -mfma -mf16c.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernel_sets.h"
#include "backend/cpu/kernels.h"

namespace gptoss::avx2 {
namespace {

#include "backend/cpu/kernels_x86.h"

// |w| is unsigned, its sign goes to the activation: then u8 × s8 pairs cannot saturate 16 bits, since
// 128 · 127 · 2 < 2^15.
inline void Accumulate(Sum& sum, const Codes& c, const std::int8_t* a, float scale) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(c.v), _mm256_sign_epi8(x, c.v));
  const __m256i dots = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  sum.v = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), _mm256_set1_ps(scale), sum.v);
}

#include "backend/cpu/kernels_body.h"

bool Usable(const CpuFeatures& cpu) { return cpu.avx2; }

}  // namespace

const KernelSet kKernels = {"avx2", Usable, Quantize, MatMulInt8, MatMulFloat, Attend, Swiglu};

}  // namespace gptoss::avx2
