#include "base/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/file.h"

namespace gptoss {
namespace {

// flock(2) can wait by itself, but then neither a cancel token nor a deadline is looked at.
constexpr std::chrono::milliseconds kFirstPause{1}, kLongestPause{50};

Result<int> OpenLockFile(const std::filesystem::path& path) {
  // 0666 is cut by the umask. O_NONBLOCK: a FIFO in its place must not hang us.
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  // A lock needs no right to write: a shared installation may be read-only for its users.
  if (fd < 0 && (errno == EACCES || errno == EROFS))
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) return fd;
  return FailErrno("open the lock file", path, errno);
}

// True: locked. False: somebody else has it.
Result<bool> TryLock(int fd, FileLock::Kind kind, const std::filesystem::path& path) {
  const int operation = (kind == FileLock::Kind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  while (::flock(fd, operation) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return false;
    return Fail(ErrorCode::kUnsupported, fmt::format("cannot lock {}: {}; its file system may have no locks",
                                                     path.string(), std::strerror(errno)));
  }
  return true;
}

}  // namespace

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    Release();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

// Closing gives the lock back: nobody else has this open file description.
void FileLock::Release() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<std::optional<FileLock>> FileLock::Try(const std::filesystem::path& path, Kind kind) {
  GPTOSS_TRY(const int fd, OpenLockFile(path));
  FileLock lock(fd);
  GPTOSS_TRY(const bool locked, TryLock(fd, kind, path));
  if (!locked) return std::optional<FileLock>();
  return std::optional<FileLock>(std::move(lock));
}

Result<FileLock> FileLock::Acquire(const std::filesystem::path& path, Kind kind, const CancelToken& cancel,
                                   std::optional<std::chrono::milliseconds> patience) {
  GPTOSS_TRY(const int fd, OpenLockFile(path));
  FileLock lock(fd);
  const auto start = std::chrono::steady_clock::now();
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    GPTOSS_TRY(const bool locked, TryLock(fd, kind, path));
    if (locked) return lock;
    if (cancel.cancelled())
      return Fail(ErrorCode::kCancelled,
                  fmt::format("cancelled while waiting for the lock {}", path.string()));
    if (patience && std::chrono::steady_clock::now() - start >= *patience)
      return Fail(
          ErrorCode::kDeadlineExceeded,
          fmt::format("another process holds the lock {}; try again when it has finished", path.string()));
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace gptoss
