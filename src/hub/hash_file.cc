// HashFile of transfer.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/file.h"
#include "hub/byte_sum.h"
#include "hub/transfer.h"

namespace gptoss::hub {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

struct Closer {
  int fd;
  ~Closer() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

Result<ContentHash> HashFile(const std::filesystem::path& path, bool sha256, const CancelToken& cancel,
                             const std::function<void(std::uint64_t)>& on_bytes) {
  const Closer file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return FailErrno("open", path, errno);
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) return FailErrno("look at", path, errno);
  if (!S_ISREG(info.st_mode))
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is not a regular file", path.string()));
#if defined(POSIX_FADV_SEQUENTIAL)
  ::posix_fadvise(file.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
  ContentHasher hasher(sha256, static_cast<std::uint64_t>(info.st_size));
  std::vector<std::byte> buffer(kChunk);
  for (;;) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "stopped while reading " + path.string());
    const ssize_t got = ::read(file.fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("read", path, errno);
    if (got == 0) break;
    hasher.Update(std::span(buffer).first(static_cast<std::size_t>(got)));
    if (on_bytes) on_bytes(static_cast<std::uint64_t>(got));
  }
  ContentHash hash = hasher.Finish();
  if (hash.hex.empty()) return Fail(ErrorCode::kInternal, "cannot compute a hash");
  return hash;
}

}  // namespace gptoss::hub
