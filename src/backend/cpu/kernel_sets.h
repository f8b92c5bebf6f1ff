// Which kernel sets this build has. Each lives in a namespace of its own, compiled with its own flags.
#pragma once

#include "backend/cpu/kernels.h"

namespace gptoss {

namespace portable {
extern const KernelSet kKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const KernelSet kKernels;
}
namespace avx512 {
extern const KernelSet kKernels;
}
#elif defined(__aarch64__)
namespace neon {
extern const KernelSet kKernels;
}
namespace neon_dotprod {
extern const KernelSet kKernels;
}
#endif

}  // namespace gptoss
