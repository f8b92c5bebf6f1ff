#include "platform/cpu_features.h"

#include <array>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace gptoss {
namespace {

#if defined(__x86_64__)

struct CpuId {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

CpuId Leaf(unsigned leaf, unsigned sub) {
  CpuId id;
  __get_cpuid_count(leaf, sub, &id.a, &id.b, &id.c, &id.d);
  return id;
}

bool Bit(unsigned word, int bit) { return ((word >> bit) & 1U) != 0; }

// XGETBV: which register sets the system saves on a task switch. Assembly, so that no -m flag is needed.
std::uint64_t SavedRegisters() {
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (std::uint64_t{high} << 32) | low;
}

// Bit numbers: Intel 64 and IA-32 Architectures Software Developer's Manual, CPUID leaves 1 and 7.
CpuFeatures Detect() {
  CpuFeatures f;
  const CpuId one = Leaf(1, 0), seven = Leaf(7, 0), seven_one = Leaf(7, 1);
  if (!Bit(one.c, 27)) return f;  // no OSXSAVE: XGETBV would fault
  const std::uint64_t saved = SavedRegisters();
  const bool ymm = (saved & 0x6) == 0x6;
  const bool zmm = ymm && (saved & 0xE0) == 0xE0;
  const bool tiles = (saved & 0x60000) == 0x60000;
  f.avx2 = ymm && Bit(seven.b, 5) && Bit(one.c, 12) && Bit(one.c, 29);
  f.avx512 = zmm && f.avx2 && Bit(seven.b, 16) && Bit(seven.b, 17) && Bit(seven.b, 28) && Bit(seven.b, 30) &&
             Bit(seven.b, 31);
  f.avx512_vnni = f.avx512 && Bit(seven.c, 11);
  f.avx512_bf16 = f.avx512 && Bit(seven_one.a, 5);
  f.amx_bf16 = tiles && Bit(seven.d, 22) && Bit(seven.d, 24);
  f.amx_int8 = tiles && Bit(seven.d, 25) && Bit(seven.d, 24);
  return f;
}

#elif defined(__aarch64__) && defined(__APPLE__)

bool Has(const char* name) {
  int value = 0;
  std::size_t size = sizeof value;
  return ::sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

CpuFeatures Detect() {
  CpuFeatures f;
  f.neon = true;
  f.neon_dotprod = Has("hw.optional.arm.FEAT_DotProd");
  f.neon_i8mm = Has("hw.optional.arm.FEAT_I8MM");
  f.neon_bf16 = Has("hw.optional.arm.FEAT_BF16");
  return f;
}

#elif defined(__aarch64__)

// Bits of AT_HWCAP and AT_HWCAP2: Linux, Documentation/arch/arm64/elf_hwcaps.rst.
CpuFeatures Detect() {
  CpuFeatures f;
  f.neon = true;
  f.neon_dotprod = ((::getauxval(AT_HWCAP) >> 20) & 1U) != 0;
  f.neon_i8mm = ((::getauxval(AT_HWCAP2) >> 13) & 1U) != 0;
  f.neon_bf16 = ((::getauxval(AT_HWCAP2) >> 14) & 1U) != 0;
  return f;
}

#else
CpuFeatures Detect() { return {}; }
#endif

}  // namespace

const CpuFeatures& ThisCpu() {
  static const CpuFeatures features = Detect();
  return features;
}

std::string DescribeFeatures(const CpuFeatures& f) {
  const std::array<std::pair<bool, const char*>, 10> all = {{{f.avx2, "avx2"},
                                                             {f.avx512, "avx512"},
                                                             {f.avx512_vnni, "avx512_vnni"},
                                                             {f.avx512_bf16, "avx512_bf16"},
                                                             {f.amx_int8, "amx_int8"},
                                                             {f.amx_bf16, "amx_bf16"},
                                                             {f.neon, "neon"},
                                                             {f.neon_dotprod, "neon_dotprod"},
                                                             {f.neon_i8mm, "neon_i8mm"},
                                                             {f.neon_bf16, "neon_bf16"}}};
  std::string text;
  for (const auto& [has, name] : all) {
    if (has) text += (text.empty() ? "" : " ") + std::string(name);
  }
  return text.empty() ? "none" : text;
}

}  // namespace gptoss
