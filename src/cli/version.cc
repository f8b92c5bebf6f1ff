#include "cli/version.h"

#include <fmt/format.h>

#include "backend/cpu/kernels.h"
#include "platform/cpu_features.h"
#include "platform/system.h"

namespace gptoss::cli {

std::string Version() { return GPTOSS_VERSION; }

std::string VersionText() {
#if defined(__clang__)
  const std::string compiler = fmt::format("Clang {}.{}", __clang_major__, __clang_minor__);
#else
  const std::string compiler = fmt::format("GCC {}.{}", __GNUC__, __GNUC_MINOR__);
#endif
  const std::string_view commit = GPTOSS_COMMIT;
  return fmt::format("gptoss {}{}\ncompiler: {}\nkernels: {}\ncpu: {}, {} usable, {}", GPTOSS_VERSION,
                     commit.empty() ? "" : fmt::format(" (commit {})", commit), compiler,
                     UsableKernels().back()->name, CpuName(), UsableCpus(), DescribeFeatures(ThisCpu()));
}

}  // namespace gptoss::cli
