// HashFile of transfer.h, and the hasher under it.
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "hub/content_hasher.h"
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

std::unexpected<Error> FailErrno(const char* doing, const std::filesystem::path& path) {
  const int error = errno;
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound
                         : error == EACCES || error == EPERM ? ErrorCode::kPermissionDenied
                                                             : ErrorCode::kUnavailable;
  return Fail(code, fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(error)));
}

}  // namespace

struct ContentHasher::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  bool ok = false;
};

ContentHasher::ContentHasher(bool sha256, std::uint64_t size) : state_(std::make_unique<State>()) {
  EVP_MD_CTX* context = state_->context.get();
  state_->ok =
      context != nullptr && EVP_DigestInit_ex(context, sha256 ? EVP_sha256() : EVP_sha1(), nullptr) == 1;
  if (sha256) return;
  // A git blob id covers this header, its terminating zero included.
  const std::string header = fmt::format("blob {}", size);
  Add(std::as_bytes(std::span(header.c_str(), header.size() + 1)));
}

ContentHasher::~ContentHasher() = default;

void ContentHasher::Add(std::span<const std::byte> bytes) {
  state_->ok = state_->ok && EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1;
}

Result<ContentHash> ContentHasher::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (!state_->ok || EVP_DigestFinal_ex(state_->context.get(), digest, &length) != 1)
    return Fail(ErrorCode::kInternal, "cannot compute a hash");
  state_->ok = false;
  ContentHash hash;
  for (unsigned i = 0; i < length; ++i) hash.hex += fmt::format("{:02x}", digest[i]);
  return hash;
}

Result<ContentHash> HashFile(const std::filesystem::path& path, bool sha256, const CancelToken& cancel,
                             const std::function<void(std::uint64_t)>& on_bytes) {
  const Closer file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return FailErrno("open", path);
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) return FailErrno("look at", path);
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
    if (got < 0) return FailErrno("read", path);
    if (got == 0) return hasher.Finish();
    hasher.Add(std::span(buffer).first(static_cast<std::size_t>(got)));
    if (on_bytes) on_bytes(static_cast<std::uint64_t>(got));
  }
}

}  // namespace gptoss::hub
