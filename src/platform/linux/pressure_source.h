// Memory pressure on Linux: PSI triggers where the system takes them, control-group events, and a look at
// what is available. `root` as in control_group.h.
#pragma once

#include <filesystem>
#include <memory>

#include "platform/memory_pressure.h"

namespace gptoss {

// Never null: what cannot be opened is left out.
std::unique_ptr<MemoryPressureSource> LinuxMemoryPressureSource(const std::filesystem::path& root);

}  // namespace gptoss
