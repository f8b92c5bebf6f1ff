#include "platform/clone_file.h"

#include <fcntl.h>
#include <sys/clonefile.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gptoss {

bool CloneFile(int from, const std::filesystem::path& to) {
  if (::fclonefileat(from, AT_FDCWD, to.c_str(), CLONE_NOFOLLOW | CLONE_NOOWNERCOPY) != 0) return false;
  // A clone takes the original's mode along, which may be read-only.
  if (::chmod(to.c_str(), 0644) == 0) return true;
  ::unlink(to.c_str());
  return false;
}

}  // namespace gptoss
