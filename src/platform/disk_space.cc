#include <fmt/format.h>

#include <filesystem>

#include "platform/disk.h"

namespace gptoss {

Result<DiskSpace> DiskSpaceFor(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::path at = std::filesystem::absolute(path, failed);
  while (!failed && !std::filesystem::exists(at, failed) && at.has_relative_path()) at = at.parent_path();
  // A part that may not be looked at is asked about itself: the answer is then the system's error.
  const std::filesystem::space_info space = std::filesystem::space(at, failed);
  if (failed)
    return Fail(
        failed == std::errc::permission_denied ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable,
        fmt::format("cannot ask for the free space of {}: {}", at.string(), failed.message()));
  return DiskSpace{space.capacity, space.available};
}

}  // namespace gptoss
