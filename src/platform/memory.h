// Memory of this process beyond a total (platform/system.h).
#pragma once

#include <cstdint>
#include <optional>

namespace gptoss {

// Bytes of this process in RAM now. `anonymous`: heap, stacks, KV, scratch: what only this process can give
// back. `file`: pages of mapped files (weights), which the system takes back by itself when it is short.
// `shared`: shared memory. total = anonymous + file + shared, up to what changes while it is read. All zero
// where the system does not say.
struct ResidentSplit {
  std::uint64_t total = 0, anonymous = 0, file = 0, shared = 0;
};
ResidentSplit ResidentMemorySplit();

// The limit that a control group puts on this process and what the group uses of it, clean page cache left
// out. The tightest of the group and all above it; versions 1 and 2. nullopt: none (always on macOS).
// SystemMemory() has it included already.
struct MemoryLimit {
  std::uint64_t limit = 0, used = 0;
};
std::optional<MemoryLimit> ControlGroupMemory();

// Gives freed heap pages back to the system, for after a model was unloaded: an allocator keeps them
// otherwise. May take milliseconds. True when the allocator did something.
bool ReleaseFreeMemory();

}  // namespace gptoss
