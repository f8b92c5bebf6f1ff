#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

namespace gptoss {
namespace {

// Closes on every way out of a function.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

struct OpenFile {
  int fd;
  std::uint64_t size;
};

Result<OpenFile> OpenRegular(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not hang; regular files ignore it.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FailErrno("open", path, errno);
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    const int error = errno;
    ::close(fd);
    return FailErrno("look at", path, error);
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is not a regular file", path.string()));
  }
  return OpenFile{fd, static_cast<std::uint64_t>(info.st_size)};
}

Status WriteAll(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailErrno("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// A rename is durable only once the folder that holds the name is on disk too.
void SyncFolder(const std::filesystem::path& folder) {
  const FileDescriptor fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (fd.get() >= 0) ::fsync(fd.get());
}

}  // namespace

ErrorCode ErrorCodeOf(int system_error) {
  switch (system_error) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ErrorCode::kResourceExhausted;
    case EEXIST:
      return ErrorCode::kAlreadyExists;
    default:
      return ErrorCode::kUnavailable;
  }
}

std::unexpected<Error> FailErrno(std::string_view doing, const std::filesystem::path& path,
                                 int system_error) {
  return Fail(ErrorCodeOf(system_error),
              fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(system_error)));
}

Result<std::string> ReadFile(const std::filesystem::path& path, std::uint64_t max_bytes) {
  GPTOSS_TRY(const OpenFile file, OpenRegular(path));
  const FileDescriptor fd(file.fd);
  if (file.size > max_bytes) {
    return Fail(ErrorCode::kOutOfRange, fmt::format("{} has {} bytes; at most {} are accepted here",
                                                    path.string(), file.size, max_bytes));
  }
  std::string text(static_cast<std::size_t>(file.size), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("read", path, errno);
    if (got == 0) break;  // the file shrank while we read: give what there is
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

Status WriteFileAtomic(const std::filesystem::path& path, std::string_view bytes) {
  std::string temporary = path.string() + ".XXXXXX";
  const FileDescriptor fd(::mkstemp(temporary.data()));
  if (fd.get() < 0) return FailErrno("create a file beside", path, errno);
  // A file that somebody made private stays private.
  struct stat old{};
  ::fchmod(fd.get(), ::stat(path.c_str(), &old) == 0 ? old.st_mode & 0777 : 0644);
  Status status = WriteAll(fd.get(), bytes, path);
  if (status && ::fsync(fd.get()) != 0) status = FailErrno("sync", path, errno);
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = FailErrno("rename to", path, errno);
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  SyncFolder(path.parent_path());
  return {};
}

Status CreatePrivateFolders(const std::filesystem::path& folder) {
  std::filesystem::path made;
  for (const auto& part : folder) {
    made /= part;
    struct stat info{};
    if (::stat(made.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) continue;
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} stands where a folder is needed; move it away", made.string()));
    }
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) return FailErrno("make the folder", made, errno);
  }
  return {};
}

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::filesystem::path& path) {
  GPTOSS_TRY(const OpenFile file, OpenRegular(path));
  const FileDescriptor fd(file.fd);
  if (file.size > std::numeric_limits<std::size_t>::max() / 2) {
    return Fail(ErrorCode::kOutOfRange, fmt::format("{} is too large to map", path.string()));
  }
  const auto size = static_cast<std::size_t>(file.size);
  if (size == 0) {  // mmap refuses a length of zero
    return std::shared_ptr<const MappedFile>(new MappedFile({}, path.string(), false));
  }
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) return FailErrno("map", path, errno);
  return std::shared_ptr<const MappedFile>(
      new MappedFile({static_cast<const std::byte*>(address), size}, path.string(), true));
}

std::shared_ptr<const MappedFile> MappedFile::FromStatic(std::span<const std::byte> bytes, std::string name) {
  return std::shared_ptr<const MappedFile>(new MappedFile(bytes, std::move(name), false));
}

MappedFile::~MappedFile() {
  // const_cast: munmap's signature predates const mappings.
  if (mapped_) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::unexpected<Error> DamagedFile(const MappedFile& file, std::string_view what) {
  return Fail(ErrorCode::kDataLoss, fmt::format("{}: {}", file.name(), what));
}

}  // namespace gptoss
