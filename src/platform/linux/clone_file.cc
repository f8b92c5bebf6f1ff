#include "platform/clone_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gptoss {

bool CloneFile(int from, const std::filesystem::path& to) {
  const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) return false;
  const bool cloned = ::ioctl(fd, FICLONE, from) == 0 && ::fsync(fd) == 0;
  ::close(fd);
  if (!cloned) ::unlink(to.c_str());
  return cloned;
}

}  // namespace gptoss
