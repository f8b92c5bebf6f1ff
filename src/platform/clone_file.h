// A copy that costs no space until one of the two changes. linux/ and macos/ each implement this one header.
#pragma once

#include <filesystem>

namespace gptoss {

// Makes `to` (which must not exist) with the content of the open regular file. False where the file system
// cannot clone (most cannot: Btrfs, XFS, bcachefs and APFS can) or `to` is on another one; then nothing is
// left at `to`.
bool CloneFile(int from, const std::filesystem::path& to);

}  // namespace gptoss
