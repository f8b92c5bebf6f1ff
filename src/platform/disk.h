// What a disk is asked for beyond reading and writing: space that is free or set aside, bytes made durable.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"

namespace gptoss {

// Of the file system that holds `path`, or would hold it: the nearest folder above that exists counts.
struct DiskSpace {
  std::uint64_t total = 0;      // bytes
  std::uint64_t available = 0;  // to this user
};
Result<DiskSpace> DiskSpaceFor(const std::filesystem::path& path);

// Sets aside `bytes` for an open file, which then has at least that size. 0, or an errno: ENOSPC, EDQUOT,
// EFBIG. A file system that cannot do that answers 0 as well: writing will tell.
int ReserveSpace(int fd, std::uint64_t bytes);
// The data (not times) survives a power loss once this returns 0; else an errno.
int SyncData(int fd);
// Data and metadata, to the medium itself where the system can ask for that.
int SyncFile(int fd);
// The mode that a new file gets when asked for `mode`. Does not change the process's umask.
unsigned ModeUnderUmask(unsigned mode);

}  // namespace gptoss
