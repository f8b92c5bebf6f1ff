#include "platform/memory.h"

#include <fstream>
#include <string>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "platform/linux/control_group.h"

namespace gptoss {

// proc(5), "/proc/pid/status": cheap, unlike smaps_rollup, which walks every mapping.
ResidentSplit ResidentMemorySplit() {
  ResidentSplit split;
  std::ifstream file("/proc/self/status");
  for (std::string key; file >> key;) {
    std::uint64_t* const field = key == "VmRSS:"      ? &split.total
                                 : key == "RssAnon:"  ? &split.anonymous
                                 : key == "RssFile:"  ? &split.file
                                 : key == "RssShmem:" ? &split.shared
                                                      : nullptr;
    std::uint64_t kilobytes = 0;
    if (field != nullptr && file >> kilobytes) *field = kilobytes * 1024;
  }
  return split;
}

std::optional<MemoryLimit> ControlGroupMemory() {
  const auto group = FindMemoryGroup("/");
  return group ? MemoryLimitOf(*group) : std::nullopt;
}

bool ReleaseFreeMemory() {
#if defined(__GLIBC__)
  return ::malloc_trim(0) != 0;
#else
  return false;
#endif
}

}  // namespace gptoss
