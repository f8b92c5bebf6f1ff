#include "backend/cpu/kernels.h"

#include "backend/cpu/kernel_sets.h"

namespace gptoss {

std::vector<const KernelSet*> UsableKernels() {
  const KernelSet* const all[] = {
      &portable::kKernels,
#if defined(__x86_64__)
      &avx2::kKernels,
      &avx512::kKernels,
#elif defined(__aarch64__)
      &neon::kKernels,
      &neon_dotprod::kKernels,
#endif
  };
  std::vector<const KernelSet*> usable;
  for (const KernelSet* set : all) {
    if (set->usable(ThisCpu())) usable.push_back(set);
  }
  return usable;
}

const KernelSet* FindKernels(std::string_view name) {
  for (const KernelSet* set : UsableKernels()) {
    if (name == set->name) return set;
  }
  return nullptr;
}

}  // namespace gptoss
