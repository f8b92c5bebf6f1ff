#include "hub/blob_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gptoss::hub {
namespace {

constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;

int FlockNow(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

// Two open files of one process exclude each other under flock; where they do not, the lock is no lock.
bool Excludes(const std::filesystem::path& path) {
  const int second = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (second < 0) return true;  // cannot be told: as usual
  const bool refused = FlockNow(second) != 0;
  ::close(second);
  return refused;
}

}  // namespace

Result<std::optional<BlobLock>> BlobLock::Try(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const int fd = ::open(path.c_str(), kFlags, 0664);
  if (fd < 0) {
    const int error = errno;
    return Fail(error == EMFILE || error == ENFILE || error == ENOSPC || error == EDQUOT
                    ? ErrorCode::kResourceExhausted
                    : ErrorCode::kPermissionDenied,
                fmt::format("cannot make the lock {}: {}", path.string(),
                            error == ELOOP ? "it is a link, which is not followed" : std::strerror(error)));
  }
  ::fchmod(fd, 0664);  // other users of a shared cache lock it too, whatever our umask
  const int error = FlockNow(fd);
  if (error == EWOULDBLOCK) {
    ::close(fd);
    return std::nullopt;
  }
  return BlobLock(fd, error == 0 && Excludes(path));
}

BlobLock& BlobLock::operator=(BlobLock&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) ::close(fd_);
  fd_ = std::exchange(other.fd_, -1);
  effective_ = other.effective_;
  return *this;
}

BlobLock::~BlobLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace gptoss::hub
