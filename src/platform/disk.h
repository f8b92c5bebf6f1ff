// What a disk is asked for beyond reading and writing: space set aside, bytes made durable.
#pragma once

#include <cstdint>

namespace gptoss {

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
