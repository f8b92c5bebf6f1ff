#include "platform/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gptoss {

int ReserveSpace(int fd, std::uint64_t bytes) {
  // Not posix_fallocate: where the file system has no such call, the C library writes into every block.
  for (;;) {
    if (bytes == 0 || ::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) == 0) return 0;
    const int error = errno;
    if (error == EINTR) continue;
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? error : 0;
  }
}

int SyncData(int fd) { return ::fdatasync(fd) == 0 ? 0 : errno; }
// Network and memory file systems take O_DIRECT and gain nothing by it; they do not say how it must be
// aligned.
int OpenUncached(int fd) {
#if defined(O_DIRECT) && defined(STATX_DIOALIGN)
  struct statx info{};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) != 0 || (info.stx_mask & STATX_DIOALIGN) == 0)
    return -1;
  const auto fits = [](unsigned unit) { return unit != 0 && kUncachedUnit % unit == 0; };
  if (!fits(info.stx_dio_mem_align) || !fits(info.stx_dio_offset_align)) return -1;
  char name[64];
  std::snprintf(name, sizeof name, "/proc/self/fd/%d",
                fd);  // this very file, whatever its name leads to by now
  return ::open(name, O_WRONLY | O_DIRECT | O_CLOEXEC);
#else
  (void)fd;
  return -1;
#endif
}

int SyncFile(int fd) { return ::fsync(fd) == 0 ? 0 : errno; }

unsigned ModeUnderUmask(unsigned mode) {
  // umask(2) can only be read by setting it, which every thread would see.
  unsigned mask = 022;
  if (std::FILE* status = std::fopen("/proc/self/status", "re")) {
    char line[256];
    while (std::fgets(line, sizeof line, status) != nullptr) {
      if (std::strncmp(line, "Umask:", 6) == 0)
        mask = static_cast<unsigned>(std::strtoul(line + 6, nullptr, 8));
    }
    std::fclose(status);
  }
  return mode & ~mask;
}

}  // namespace gptoss
