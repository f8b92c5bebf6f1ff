// Compiled with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni and what these include.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernel_sets.h"
#include "backend/cpu/kernels.h"

namespace gptoss::avx512 {
namespace {

#include "backend/cpu/kernels_x86.h"

inline void Accumulate(Sum& sum, const Codes& c, const std::int8_t* a, float scale) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
  const __m256i dots =
      _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_abs_epi8(c.v), _mm256_sign_epi8(x, c.v));
  sum.v = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), _mm256_set1_ps(scale), sum.v);
}

#include "backend/cpu/kernels_body.h"

#include "backend/cpu/kernels_avx512_int8.h"

bool Usable(const CpuFeatures& cpu) { return cpu.avx512_vnni; }

}  // namespace

const KernelSet kKernels = {"avx512", Usable, Quantize, MatMulInt8Wide, MatMulFloat, Attend, Swiglu};

}  // namespace gptoss::avx512
