#include "platform/linux/control_group.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string_view>
#include <vector>

namespace gptoss {
namespace {

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
// Version 1 writes the largest number of pages for "no limit"; nothing real comes near this.
constexpr std::uint64_t kUnlimited = 1ULL << 60;

// A file of one number or the word "max".
std::uint64_t NumberIn(const std::filesystem::path& path, std::uint64_t otherwise) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (!(file >> value)) return otherwise;
  return value >= kUnlimited ? otherwise : value;
}

// The number of a line "key number"; 0 when there is none.
std::uint64_t FieldIn(const std::filesystem::path& path, std::string_view key) {
  std::ifstream file(path);
  std::string name;
  std::uint64_t value = 0;
  while (file >> name >> value)
    if (name == key) return value;
  return 0;
}

bool HasWord(std::string_view list, std::string_view word) {
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    if (list.substr(at, comma - at) == word) return true;
    at = comma + 1;
  }
  return false;
}

// mountinfo writes blanks and the like as \040.
std::string Unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Mount {
  std::string root, point;
};

// The mount of the memory hierarchy: proc(5), "/proc/pid/mountinfo".
std::optional<Mount> FindMount(const std::filesystem::path& root, int version) {
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string id, parent, device, mount_root, point, word, type, source, options;
    words >> id >> parent >> device >> mount_root >> point;
    while (words >> word && word != "-") {
    }
    words >> type >> source >> options;
    const bool fits = version == 2 ? type == "cgroup2" : type == "cgroup" && HasWord(options, "memory");
    if (fits) return Mount{Unescaped(mount_root), Unescaped(point)};
  }
  return std::nullopt;
}

// This process' path in the memory hierarchy: cgroups(7), "/proc/pid/cgroup".
std::optional<std::string> FindPath(const std::filesystem::path& root, int version) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    const bool fits =
        version == 2 ? controllers.empty() && line.starts_with("0:") : HasWord(controllers, "memory");
    if (fits) return line.substr(second + 1);
  }
  return std::nullopt;
}

std::optional<MemoryGroup> FindGroup(const std::filesystem::path& root, int version) {
  const auto mount = FindMount(root, version);
  const auto path = FindPath(root, version);
  if (!mount || !path) return std::nullopt;
  MemoryGroup group;
  group.version = version;
  group.mount = root / std::filesystem::path(mount->point).relative_path();
  group.folder = group.mount;
  // What is mounted may be a part of the hierarchy, or the path one from outside of the container: then the
  // mounted root is the closest group that can be seen.
  std::string below = *path;
  if (mount->root != "/" && below.starts_with(mount->root)) below.erase(0, mount->root.size());
  const auto inside = group.mount / std::filesystem::path(below).relative_path().lexically_normal();
  std::error_code failed;
  if (below.find("..") == std::string::npos && std::filesystem::is_directory(inside, failed))
    group.folder = inside;
  return group;
}

struct Files {
  const char *limit, *soft_limit, *usage, *inactive, *active;
};
constexpr Files kVersion1{.limit = "memory.limit_in_bytes",
                          .soft_limit = "",
                          .usage = "memory.usage_in_bytes",
                          .inactive = "total_inactive_file",
                          .active = "total_active_file"};
constexpr Files kVersion2{.limit = "memory.max",
                          .soft_limit = "memory.high",
                          .usage = "memory.current",
                          .inactive = "inactive_file",
                          .active = "active_file"};

}  // namespace

std::optional<MemoryGroup> FindMemoryGroup(const std::filesystem::path& root) {
  // A hybrid system mounts both, and the memory controller is where version 1 lists it.
  if (auto group = FindGroup(root, 1)) return group;
  return FindGroup(root, 2);
}

std::optional<MemoryLimit> MemoryLimitOf(const MemoryGroup& group) {
  const Files& files = group.version == 1 ? kVersion1 : kVersion2;
  std::uint64_t tightest = kNone, available = kNone;
  for (std::filesystem::path folder = group.folder;; folder = folder.parent_path()) {
    std::uint64_t limit = NumberIn(folder / files.limit, kNone);
    if (*files.soft_limit != '\0') limit = std::min(limit, NumberIn(folder / files.soft_limit, kNone));
    if (limit != kNone) {
      // File pages count as used but are given back on demand, as in the kernel's own MemAvailable.
      const std::uint64_t used = NumberIn(folder / files.usage, 0);
      const std::uint64_t cache =
          FieldIn(folder / "memory.stat", files.inactive) + FieldIn(folder / "memory.stat", files.active);
      const std::uint64_t held = used > cache ? used - cache : 0;
      tightest = std::min(tightest, limit);
      available = std::min(available, limit > held ? limit - held : 0);
    }
    if (folder == group.mount || !folder.has_relative_path()) break;
  }
  if (tightest == kNone) return std::nullopt;
  available = std::min(available, tightest);
  return MemoryLimit{.limit = tightest, .used = tightest - available};
}

std::uint64_t OutOfMemoryEvents(const MemoryGroup& group) {
  if (group.version == 1) return FieldIn(group.folder / "memory.oom_control", "oom_kill");
  const auto events = group.folder / "memory.events";
  return FieldIn(events, "oom") + FieldIn(events, "oom_kill");
}

}  // namespace gptoss
