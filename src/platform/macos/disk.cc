#include "platform/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace gptoss {

int ReserveSpace(int fd, std::uint64_t bytes) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return errno;
  const auto have = static_cast<std::uint64_t>(info.st_size);
  if (bytes <= have) return 0;
  fstore_t store{};
  store.fst_flags = F_ALLOCATEALL;
  store.fst_posmode = F_PEOFPOSMODE;
  store.fst_length = static_cast<off_t>(bytes - have);
  if (::fcntl(fd, F_PREALLOCATE, &store) != 0 && (errno == ENOSPC || errno == EDQUOT)) return errno;
  return ::ftruncate(fd, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
}

int SyncData(int fd) {
  // Everything before is ordered before everything after: enough for a journal that is checked when read.
  if (::fcntl(fd, F_BARRIERFSYNC) == 0) return 0;
  return ::fsync(fd) == 0 ? 0 : errno;
}

int SyncFile(int fd) {
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
  return ::fsync(fd) == 0 ? 0 : errno;  // network disks have no F_FULLFSYNC
}

unsigned ModeUnderUmask(unsigned mode) {
  // Read once, early: reading means setting it for a moment.
  static const unsigned mask = [] {
    const mode_t now = ::umask(022);
    ::umask(now);
    return static_cast<unsigned>(now);
  }();
  return mode & ~mask;
}

}  // namespace gptoss
