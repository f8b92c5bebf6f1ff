#include "agents/workspace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/file.h"
#include "base/utf8.h"
#include "settings/paths.h"

namespace gptoss::agents {
namespace {

namespace fs = std::filesystem;

// Without links as far as it exists; what is missing stays as it is written.
fs::path Canonical(const fs::path& path) {
  std::error_code error;
  fs::path canonical = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : canonical;
}

ErrorCode CodeOf(int error) {
  if (error == ENOENT || error == ENOTDIR) return ErrorCode::kNotFound;
  if (error == EACCES || error == EPERM || error == ELOOP || error == EROFS)
    return ErrorCode::kPermissionDenied;
  if (error == EISDIR || error == ENAMETOOLONG) return ErrorCode::kInvalidArgument;
  return ErrorCode::kInternal;
}

std::unexpected<Error> SystemError(const fs::path& path, int error) {
  return Fail(CodeOf(error), fmt::format("{}: {}", path.string(), std::strerror(error)));
}

// Never waits for the other end of a pipe, and never follows a link that was put here, or on the way, after
// the check.
int OpenCanonical(const fs::path& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
#ifdef __linux__
  open_how how{.flags = kFlags, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS};
  const long opened = ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
  if (opened >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(opened);
#endif
  return ::open(path.c_str(), kFlags);  // an older kernel, or a sandbox that does not know the call
}

}  // namespace

Workspace::Workspace(const fs::path& folder, const std::vector<std::string>& more_folders) {
  named_.push_back(folder);
  for (const std::string& more : more_folders) named_.emplace_back(more);
  for (const fs::path& named : named_) roots_.push_back(Canonical(named));
}

bool Workspace::Inside(const fs::path& path) const {
  return std::ranges::any_of(roots_, [&](const fs::path& root) {
    const auto [root_end, rest] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
    // A root that ends in a slash has an empty last part.
    return root_end == root.end() || (root_end->empty() && std::next(root_end) == root.end());
  });
}

Result<ResolvedPath> Workspace::Resolve(std::string_view text) const {
  if (text.empty() || text.find('\0') != std::string_view::npos)
    return Fail(ErrorCode::kInvalidArgument, "the path is empty or no path");
  fs::path path(text);
  if (text.front() == '~') {
    GPTOSS_TRY(path, ExpandHome(text));
  }
  if (path.is_relative()) path = folder() / path;
  ResolvedPath resolved;
  std::error_code error;
  resolved.path = fs::weakly_canonical(path, error);
  if (error) return Fail(CodeOf(error.value()), fmt::format("{}: {}", path.string(), error.message()));
  if (!resolved.path.has_filename() && resolved.path != resolved.path.root_path())
    resolved.path = resolved.path.parent_path();
  // A link to something that does not exist is not followed by weakly_canonical: writing there would be.
  if (fs::is_symlink(fs::symlink_status(resolved.path, error))) {
    const fs::path target = fs::read_symlink(resolved.path, error);
    resolved.path = fs::weakly_canonical(resolved.path.parent_path() / target, error);
    if (error || fs::is_symlink(fs::symlink_status(resolved.path, error)))
      return Fail(ErrorCode::kPermissionDenied, fmt::format("{}: a link that leads nowhere", path.string()));
  }
  resolved.inside = Inside(resolved.path);
  resolved.exists = fs::exists(resolved.path, error);
  return resolved;
}

std::string Workspace::ForClient(const fs::path& path) const {
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    const fs::path relative = path.lexically_relative(roots_[i]);
    if (!relative.empty() && *relative.begin() != "..")
      return relative == "." ? named_[i].string() : (named_[i] / relative).string();
  }
  return path.string();
}

std::string Workspace::Display(const fs::path& path) const {
  const fs::path relative = path.lexically_relative(folder());
  if (relative.empty() || *relative.begin() == "..") return path.string();
  return relative.string();
}

Result<std::string> ReadTextFile(const ResolvedPath& file, std::uint64_t max_bytes) {
  // Opening some devices does something: they are not even opened.
  struct stat status{};
  if (::lstat(file.path.c_str(), &status) != 0) return SystemError(file.path, errno);
  if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: {}", file.path.string(),
                            S_ISDIR(status.st_mode) ? "a folder, not a file" : "not a file"));
  const int descriptor = OpenCanonical(file.path);
  if (descriptor < 0) return SystemError(file.path, errno);
  std::string text;
  Status good;
  if (::fstat(descriptor, &status) != 0) {
    good = SystemError(file.path, errno);
  } else if (!S_ISREG(status.st_mode)) {
    good = Fail(ErrorCode::kInvalidArgument, fmt::format("{}: not a file", file.path.string()));
  } else if (static_cast<std::uint64_t>(status.st_size) > max_bytes) {
    good = Fail(ErrorCode::kOutOfRange, fmt::format("{}: {} bytes, more than the {} that are read",
                                                    file.path.string(), status.st_size, max_bytes));
  }
  char buffer[1 << 16];
  while (good) {
    const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) good = SystemError(file.path, errno);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > max_bytes)
      good = Fail(ErrorCode::kOutOfRange, fmt::format("{}: too large", file.path.string()));
  }
  ::close(descriptor);
  if (!good) return std::unexpected(std::move(good).error());
  if (text.find('\0') != std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: a binary file, not text", file.path.string()));
  return text;
}

Status PrepareToWrite(const ResolvedPath& file) {
  std::error_code error;
  fs::create_directories(file.path.parent_path(), error);
  if (error) return Fail(CodeOf(error.value()), fmt::format("{}: {}", file.path.string(), error.message()));
  // The way there may have changed since it was looked at: it must still lead to the same place.
  if (Canonical(file.path.parent_path()) != file.path.parent_path())
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("{}: the path has changed meanwhile", file.path.string()));
  if (fs::is_directory(file.path, error))
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: a folder, not a file", file.path.string()));
  return {};
}

Status WriteTextFile(const ResolvedPath& file, std::string_view text) {
  GPTOSS_CHECK_OK(PrepareToWrite(file));
  return WriteFileAtomic(file.path, text);
}

Status RemoveFile(const ResolvedPath& file) {
  if (::unlink(file.path.c_str()) != 0) return SystemError(file.path, errno);
  return {};
}

}  // namespace gptoss::agents
