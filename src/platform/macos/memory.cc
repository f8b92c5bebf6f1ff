#include "platform/memory.h"

#include <mach/mach.h>
#include <malloc/malloc.h>

namespace gptoss {

ResidentSplit ResidentMemorySplit() {
  task_vm_info_data_t info{};
  mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
  if (::task_info(::mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count) !=
      KERN_SUCCESS)
    return {};
  // `internal`: anonymous pages, `external`: pages of files; osfmk/mach/task_info.h.
  return {.total = info.resident_size, .anonymous = info.internal, .file = info.external, .shared = 0};
}

std::optional<MemoryLimit> ControlGroupMemory() { return std::nullopt; }

bool ReleaseFreeMemory() { return ::malloc_zone_pressure_relief(nullptr, 0) != 0; }

}  // namespace gptoss
