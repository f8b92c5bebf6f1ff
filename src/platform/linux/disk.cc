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
