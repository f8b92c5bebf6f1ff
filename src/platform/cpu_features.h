// Instruction sets that the kernels can choose from, read once from the CPU itself.
#pragma once

#include <string>

namespace gptoss {

struct CpuFeatures {
  // x86-64. Each is true only if the CPU has it and the system saves its registers.
  bool avx2 = false;         // AVX2 + FMA + F16C
  bool avx512 = false;       // F + BW + DQ + VL + CD
  bool avx512_vnni = false;  // with avx512
  bool avx512_bf16 = false;  // with avx512
  bool amx_int8 = false;
  bool amx_bf16 = false;
  // AArch64; NEON itself is always there.
  bool neon = false;
  bool neon_dotprod = false;
  bool neon_i8mm = false;
  bool neon_bf16 = false;
};
const CpuFeatures& ThisCpu();
// "avx2 avx512 avx512_vnni": for --version and bug reports.
std::string DescribeFeatures(const CpuFeatures& features);

}  // namespace gptoss
