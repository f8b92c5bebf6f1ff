#include "hub/archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "hub/byte_progress.h"
#include "hub/byte_sum.h"
#include "hub/tar.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kArchiveBytes = std::size_t{1} << 20;

class File {
 public:
  static Result<File> Open(const fs::path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0644);
    if (fd < 0) return FailErrno((flags & O_CREAT) != 0 ? "write" : "open", path, errno);
    return File(fd, path);
  }
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  Result<std::size_t> Read(std::span<std::byte> into) {
    while (true) {
      const ssize_t got = ::read(fd_, into.data(), into.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return FailErrno("read", path_, errno);
    }
  }
  Status Write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return FailErrno("write", path_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }
  Status Sync() {
    if (::fsync(fd_) != 0) return FailErrno("sync", path_, errno);
    return {};
  }

 private:
  File(int fd, fs::path path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  fs::path path_;
};

// Removes what was begun unless it came to its end.
class Unfinished {
 public:
  explicit Unfinished(fs::path path) : path_(std::move(path)) {}
  ~Unfinished() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  void Keep() { path_.clear(); }

 private:
  fs::path path_;
};

// The content of one file into `sink`, checked against its hash.
Status CopyChecked(const Manifest& manifest, const ManifestFile& file, const ByteSink& sink,
                   ByteProgress& progress, const CancelToken& cancel) {
  progress.SetFile(file.path);
  GPTOSS_TRY(File source, File::Open(manifest.folder / file.path, O_RDONLY));
  ContentHasher hasher(file.hash.is_sha256(), file.size);
  std::vector<std::byte> buffer(kArchiveBytes);
  std::uint64_t done = 0;
  while (true) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "stopped; nothing was exported");
    GPTOSS_TRY(const std::size_t got, source.Read(buffer));
    if (got == 0) break;
    done += got;
    if (done > file.size) break;
    const auto bytes = std::span<const std::byte>(buffer).first(got);
    hasher.Update(bytes);
    GPTOSS_CHECK_OK(sink(bytes));
    progress.Add(got);
  }
  const ContentHash hash = hasher.Finish();
  if (done == file.size && hash == file.hash) return {};
  return Fail(ErrorCode::kDataLoss, fmt::format("{} of {} is damaged; run 'gptoss verify {} --repair' before",
                                                file.path, manifest.model, manifest.model));
}

std::string ExportedJson(const Manifest& manifest) {
  Manifest exported = manifest;
  exported.folder.clear();
  for (ManifestFile& file : exported.files) file.mtime_ns = 0;
  return ManifestToJson(exported);
}

// The free place beside `destination` where the export is made; errors before any work.
Result<fs::path> PrepareExport(const Manifest& manifest, const fs::path& destination) {
  std::error_code error;
  const fs::path absolute = fs::absolute(destination, error).lexically_normal();
  const fs::path target = absolute.has_filename() ? absolute : absolute.parent_path();
  if (fs::exists(fs::symlink_status(target, error)))
    return Fail(ErrorCode::kAlreadyExists,
                fmt::format("{} exists; name a place that does not, or remove it first", target.string()));
  const fs::path parent = target.parent_path();
  if (!fs::is_directory(parent, error))
    return Fail(ErrorCode::kInvalidArgument, fmt::format("there is no folder {}", parent.string()));
  const auto space = fs::space(parent, error);
  const std::uint64_t needed = TotalBytes(manifest) + (1 << 20);
  if (!error && space.available < needed)
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("not enough room in {}: the export needs {} bytes, {} are free", parent.string(),
                            needed, space.available));
  return target;
}

fs::path Beside(const fs::path& target) {
  return target.parent_path() / fmt::format(".{}.gptoss-export-{}", target.filename().string(), ::getpid());
}

// A rename that replaces nothing but an empty folder; the target was free when the export began.
Status MoveIntoPlace(const fs::path& from, const fs::path& target) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(target, error)))
    return Fail(ErrorCode::kAlreadyExists, fmt::format("{} has appeared meanwhile", target.string()));
  if (::rename(from.c_str(), target.c_str()) != 0) return FailErrno("rename to", target, errno);
  return {};
}

bool LeadsOut(const std::string& path) {
  if (path.empty() || path.size() > 1024 || path.find('\\') != std::string::npos) return true;
  const fs::path name(path);
  if (name.is_absolute()) return true;
  for (const fs::path& part : name)
    if (part == ".." || part.string().size() > 255) return true;
  for (const char c : path)
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') return true;
  return false;
}

Status UnpackEntries(TarReader& reader, const fs::path& folder, ByteProgress& progress,
                     const CancelToken& cancel) {
  std::vector<std::byte> buffer(kArchiveBytes);
  while (true) {
    GPTOSS_TRY(const std::optional<TarEntry> entry, reader.Next());
    if (!entry) return {};
    if (LeadsOut(entry->path))
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("the archive has a name that leads out of it: '{}'", entry->path));
    const fs::path path = (folder / entry->path).lexically_normal();
    std::error_code error;
    fs::create_directories(entry->is_folder ? path : path.parent_path(), error);
    if (error)
      return Fail(ErrorCode::kPermissionDenied,
                  fmt::format("cannot make {}: {}", path.string(), error.message()));
    if (entry->is_folder) continue;
    progress.SetFile(entry->path);
    GPTOSS_TRY(File file, File::Open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
    while (true) {
      if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "stopped; nothing was installed");
      GPTOSS_TRY(const std::size_t got, reader.Read(buffer));
      if (got == 0) break;
      GPTOSS_CHECK_OK(file.Write(std::span<const std::byte>(buffer).first(got)));
      progress.Add(got);
    }
  }
}

}  // namespace

Status ExportToFolder(const Manifest& manifest, const fs::path& destination, const ProgressObserver& observer,
                      const CancelToken& cancel) {
  GPTOSS_TRY(const fs::path target, PrepareExport(manifest, destination));
  const fs::path work = Beside(target);
  if (::mkdir(work.c_str(), 0755) != 0) return FailErrno("make", work, errno);
  Unfinished unfinished(work);
  ByteProgress progress(TotalBytes(manifest), "exporting", observer);
  for (const ManifestFile& file : manifest.files) {
    const fs::path path = work / file.path;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    GPTOSS_TRY(File out, File::Open(path, O_WRONLY | O_CREAT | O_EXCL));
    const auto write = [&](std::span<const std::byte> bytes) { return out.Write(bytes); };
    GPTOSS_CHECK_OK(CopyChecked(manifest, file, write, progress, cancel));
    GPTOSS_CHECK_OK(out.Sync());
  }
  GPTOSS_CHECK_OK(WriteFileAtomic(work / kExportedManifest, ExportedJson(manifest)));
  GPTOSS_CHECK_OK(MoveIntoPlace(work, target));
  unfinished.Keep();
  return {};
}

Status ExportToTar(const Manifest& manifest, const fs::path& destination, const ProgressObserver& observer,
                   const CancelToken& cancel) {
  GPTOSS_TRY(const fs::path target, PrepareExport(manifest, destination));
  const fs::path work = Beside(target);
  GPTOSS_TRY(File out, File::Open(work, O_WRONLY | O_CREAT | O_EXCL));
  Unfinished unfinished(work);
  TarWriter tar([&](std::span<const std::byte> bytes) { return out.Write(bytes); });
  ByteProgress progress(TotalBytes(manifest), "exporting", observer);
  const std::string json = ExportedJson(manifest);
  GPTOSS_CHECK_OK(tar.Begin(kExportedManifest, json.size()));
  GPTOSS_CHECK_OK(tar.Append(std::as_bytes(std::span(json))));
  GPTOSS_CHECK_OK(tar.End());
  for (const ManifestFile& file : manifest.files) {
    GPTOSS_CHECK_OK(tar.Begin(file.path, file.size));
    const auto append = [&](std::span<const std::byte> bytes) { return tar.Append(bytes); };
    GPTOSS_CHECK_OK(CopyChecked(manifest, file, append, progress, cancel));
    GPTOSS_CHECK_OK(tar.End());
  }
  GPTOSS_CHECK_OK(tar.Finish());
  GPTOSS_CHECK_OK(out.Sync());
  GPTOSS_CHECK_OK(MoveIntoPlace(work, target));
  unfinished.Keep();
  return {};
}

Result<fs::path> UnpackTar(const fs::path& tar, const fs::path& folder, const ProgressObserver& observer,
                           const CancelToken& cancel) {
  GPTOSS_TRY(File file, File::Open(tar, O_RDONLY));
  std::error_code error;
  const std::uint64_t size = fs::file_size(tar, error);
  if (::mkdir(folder.c_str(), 0700) != 0) return FailErrno("make", folder, errno);
  Unfinished unfinished(folder);
  ByteProgress progress(error ? 0 : size, "unpacking", observer);
  TarReader reader([&](std::span<std::byte> into) { return file.Read(into); });
  GPTOSS_CHECK_OK(UnpackEntries(reader, folder, progress, cancel));
  // An archive of a folder: what is wanted lies one step down.
  fs::path model = folder;
  const fs::directory_iterator first(folder, error), end;
  if (first != end && std::next(fs::directory_iterator(folder, error)) == end && first->is_directory(error))
    model = first->path();
  unfinished.Keep();
  return model;
}

}  // namespace gptoss::hub
