#include "hub/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "base/file.h"
#include "platform/clone_file.h"
#include "platform/disk.h"

namespace gptoss::hub {
namespace {

constexpr std::size_t kCopyBytes = 4 << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Status WriteAll(int fd, const char* data, std::size_t size, const std::filesystem::path& path) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailSystem("write", path, errno);
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return {};
}

Status CopyBytes(int in, std::uint64_t offset, std::uint64_t size, int out, const std::filesystem::path& from,
                 const std::filesystem::path& to, const CancelToken& cancel,
                 const std::function<void(std::uint64_t)>& on_bytes) {
  std::vector<char> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(std::max<std::uint64_t>(size, 1), kCopyBytes)));
  while (size > 0) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled while copying " + from.string());
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer.size()));
    const ssize_t got = ::pread(in, buffer.data(), want, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailSystem("read", from, errno);
    if (got == 0) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{} ends {} bytes too early", from.string(), WithCommas(size)));
    }
    GPTOSS_CHECK_OK(WriteAll(out, buffer.data(), static_cast<std::size_t>(got), to));
    if (on_bytes) on_bytes(static_cast<std::uint64_t>(got));
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::uint64_t>(got);
  }
  if (::fsync(out) != 0) return FailSystem("sync", to, errno);
  return {};
}

}  // namespace

std::unexpected<Error> FailSystem(std::string_view what, const std::filesystem::path& path, int error) {
  std::string_view advice;
  switch (error) {
    case EACCES:
    case EPERM:
      advice = "; make it writable for you, or choose another cache with HF_HUB_CACHE";
      break;
    case EROFS:
      advice = "; choose a cache on a writable disk with HF_HUB_CACHE";
      break;
    case ENOSPC:
      advice = "; free space or choose another disk with HF_HUB_CACHE";
      break;
    case EDQUOT:
    case EFBIG:
      advice = "; your limit for files is reached: raise it or choose another disk with HF_HUB_CACHE";
      break;
    default:
      break;
  }
  return Fail(ErrorCodeOf(error),
              fmt::format("cannot {} {}: {}{}", what, path.string(), std::strerror(error), advice));
}

std::uint64_t FreeBytes(const std::filesystem::path& folder) {
  const auto space = DiskSpaceFor(folder.empty() ? "." : folder);
  return space ? space->available : 0;
}

Status MakeFolders(const std::filesystem::path& root, const std::filesystem::path& relative) {
  std::error_code error;
  std::filesystem::create_directories(root, error);
  if (error && !std::filesystem::is_directory(root))
    return FailSystem("make the folder", root, error.value());
  std::filesystem::path made = root;
  for (const auto& part : relative) {
    made /= part;
    if (::mkdir(made.c_str(), 0777) == 0) continue;
    const int mkdir_error = errno;
    struct stat info{};
    if (::lstat(made.c_str(), &info) != 0) return FailSystem("make the folder", made, mkdir_error);
    if (S_ISLNK(info.st_mode)) {
      return Fail(
          ErrorCode::kPermissionDenied,
          fmt::format("{} is a link; gptoss writes through no link inside a cache. Move the whole cache "
                      "instead and name its place in HF_HUB_CACHE",
                      made.string()));
    }
    if (!S_ISDIR(info.st_mode)) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} stands where a folder is needed; move it away", made.string()));
    }
  }
  return {};
}

std::string TemporaryName(std::string_view what) {
  static std::atomic<unsigned> count{0};
  std::random_device random;
  return fmt::format(".gptoss-{}-{}-{:08x}{:x}", what, ::getpid(), random(), count.fetch_add(1));
}

Status WriteThrough(const std::filesystem::path& temporary, const std::filesystem::path& target,
                    std::string_view bytes) {
  const Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (fd.get() < 0) return FailSystem("create", temporary, errno);
  Status status = WriteAll(fd.get(), bytes.data(), bytes.size(), target);
  if (status && ::fsync(fd.get()) != 0) status = FailSystem("sync", target, errno);
  if (status && ::rename(temporary.c_str(), target.c_str()) != 0)
    status = FailSystem("rename to", target, errno);
  if (!status) ::unlink(temporary.c_str());
  if (status) SyncFolder(target.parent_path());
  return status;
}

void SyncFolder(const std::filesystem::path& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (fd.get() >= 0) ::fsync(fd.get());
}

Result<Shared> ShareFile(const std::filesystem::path& from, const std::filesystem::path& to, bool may_link,
                         const CancelToken& cancel, const std::function<void(std::uint64_t)>& on_bytes) {
  const Descriptor in(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (in.get() < 0) return FailSystem("open", from, errno);
  struct stat info{};
  if (::fstat(in.get(), &info) != 0) return FailSystem("look at", from, errno);
  if (!S_ISREG(info.st_mode))
    return Fail(ErrorCode::kInvalidArgument, from.string() + " is not a regular file");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (CloneFile(in.get(), to)) {
    if (on_bytes) on_bytes(size);
    return Shared::kCloned;
  }
  if (may_link && ::link(from.c_str(), to.c_str()) == 0) {
    if (on_bytes) on_bytes(size);
    return Shared::kLinked;
  }
  if (const Status copied = CopyRange(from, 0, size, to, cancel, on_bytes); !copied)
    return std::unexpected(copied.error());
  return Shared::kCopied;
}

Status CopyRange(const std::filesystem::path& from, std::uint64_t offset, std::uint64_t size,
                 const std::filesystem::path& to, const CancelToken& cancel,
                 const std::function<void(std::uint64_t)>& on_bytes) {
  const Descriptor in(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (in.get() < 0) return FailSystem("open", from, errno);
  const Descriptor out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (out.get() < 0) return FailSystem("create", to, errno);
  const Status status = CopyBytes(in.get(), offset, size, out.get(), from, to, cancel, on_bytes);
  if (!status) ::unlink(to.c_str());
  return status;
}

std::int64_t ModificationTime(const std::filesystem::path& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? ModificationTime(info) : 0;
}

std::int64_t ModificationTime(const struct stat& info) {
#if defined(__APPLE__)
  const timespec& time = info.st_mtimespec;
#else
  const timespec& time = info.st_mtim;
#endif
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

std::string WithCommas(std::uint64_t n) {
  std::string digits = fmt::format("{}", n);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

}  // namespace gptoss::hub
