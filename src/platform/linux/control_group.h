// Control groups, versions 1 and 2, nested, seen from inside and outside of containers. `root`: "" for the
// system, or a folder with proc/ and sys/ in it for tests. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "platform/memory.h"

namespace gptoss {

// The group that accounts for this process' memory.
struct MemoryGroup {
  int version = 2;
  std::filesystem::path folder;  // of the group
  std::filesystem::path mount;   // of the hierarchy: the groups above end here
};
std::optional<MemoryGroup> FindMemoryGroup(const std::filesystem::path& root);

std::optional<MemoryLimit> MemoryLimitOf(const MemoryGroup& group);
// How often the group has been out of memory, as far as the system counts it; processes killed included.
std::uint64_t OutOfMemoryEvents(const MemoryGroup& group);

}  // namespace gptoss
