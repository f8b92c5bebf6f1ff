#include "hub/partial.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>

#include "platform/disk.h"

namespace gptoss::hub {
namespace {

constexpr const char* kPart = ".gptoss-part";
constexpr const char* kJournal = ".gptoss-journal";

int OpenFolderOf(const std::filesystem::path& blob) {
  return ::open(blob.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

std::uint64_t RandomNumber() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

// A regular file of ours that nothing else links to, or -1 with errno.
int OpenOwn(int folder, const std::string& name, int flags) {
  const int fd = ::openat(folder, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd < 0) return -1;
  struct stat info{};
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1) return fd;
  ::close(fd);
  errno = EEXIST;
  return -1;
}

std::string ReadSmall(int folder, const std::string& name) {
  std::string text;
  const int fd = OpenOwn(folder, name, O_RDONLY);
  if (fd < 0) return text;
  struct stat info{};
  if (::fstat(fd, &info) == 0 && static_cast<std::uint64_t>(info.st_size) <= kMostJournalBytes) {
    text.resize(static_cast<std::size_t>(info.st_size));
    std::size_t have = 0;
    while (have < text.size()) {
      const ssize_t got = ::read(fd, text.data() + have, text.size() - have);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    text.resize(have);
  }
  ::close(fd);
  return text;
}

// 0 or errno.
int WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

Error Partial::DiskError(const char* doing, int error) const {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    const char* why = error == ENOSPC   ? "the disk is full"
                      : error == EDQUOT ? "your quota on that disk is used up"
                                        : "files may not become that large here (ulimit -f)";
    std::uint64_t have = 0;
    struct stat info{};
    if (data_ >= 0 && ::fstat(data_, &info) == 0) have = static_cast<std::uint64_t>(info.st_blocks) * 512;
    return {
        ErrorCode::kResourceExhausted,
        fmt::format("cannot {} {}: {}; {} more bytes are needed in {} for this file (what has come is kept: "
                    "make room and run the same command again)",
                    doing, job_.file.path, why, journal_.size > have ? journal_.size - have : journal_.size,
                    job_.blob.parent_path().string())};
  }
  const ErrorCode code = error == EACCES || error == EPERM || error == EROFS ? ErrorCode::kPermissionDenied
                         : error == EMFILE || error == ENFILE || error == ENOMEM
                             ? ErrorCode::kResourceExhausted
                             : ErrorCode::kUnavailable;
  return {code, fmt::format("cannot {} {} in {}: {}", doing, job_.file.path, job_.blob.parent_path().string(),
                            std::strerror(error))};
}

Result<std::unique_ptr<Partial>> Partial::Open(const BlobJob& job, bool exclusive) {
  std::unique_ptr<Partial> partial(new Partial(job));
  partial->journal_.hash = job.file.hash;
  partial->journal_.size = job.file.size;
  GPTOSS_CHECK_OK(partial->OpenFolder());
  partial->ClaimNames(exclusive);
  partial->ReadJournal();
  GPTOSS_CHECK_OK(partial->OpenData());
  GPTOSS_CHECK_OK(partial->WriteJournal(true));
  return partial;
}

Partial::~Partial() {
  if (!gone_ && folder_ >= 0 && part_name_ != shared_part_) {
    // Back to the name that the next run looks for. If two of us do this, the later one's is kept whole:
    // the journal goes first, and one that does not fit its data proves nothing.
    ::renameat(folder_, part_name_.c_str(), folder_, shared_part_.c_str());
    ::renameat(folder_, journal_name_.c_str(), folder_, shared_journal_.c_str());
  }
  for (const int fd : {log_, data_, folder_}) {
    if (fd >= 0) ::close(fd);
  }
}

Status Partial::OpenFolder() {
  folder_ = OpenFolderOf(job_.blob);
  if (folder_ >= 0) return {};
  const int error = errno;
  if (error == ELOOP || error == ENOTDIR) {
    return Fail(
        ErrorCode::kPermissionDenied,
        fmt::format("{} is a link or no folder; nothing is written through it: remove it and try again",
                    job_.blob.parent_path().string()));
  }
  return std::unexpected(DiskError("store", error));
}

void Partial::ClaimNames(bool exclusive) {
  const std::string stem = job_.blob.filename().string();
  part_name_ = shared_part_ = stem + kPart;
  journal_name_ = shared_journal_ = stem + kJournal;
  if (exclusive) return;
  const std::string own = fmt::format("{}.{:08x}", stem, RandomNumber() & 0xFFFFFFFF);
  part_name_ = own + kPart;
  journal_name_ = own + kJournal;
  // Renaming succeeds for one of all who try.
  if (::renameat(folder_, shared_part_.c_str(), folder_, part_name_.c_str()) == 0) {
    ::renameat(folder_, shared_journal_.c_str(), folder_, journal_name_.c_str());
  }
}

void Partial::ReadJournal() {
  auto journal = ParseJournal(ReadSmall(folder_, journal_name_), job_.file.hash, job_.file.size);
  if (journal) journal_ = std::move(*journal);
  // Records that somebody else might still append to the old file must not pass for ours.
  journal_.salt = RandomNumber();
}

Status Partial::OpenData() {
  data_ = OpenOwn(folder_, part_name_, O_RDWR);
  if (data_ < 0) {
    journal_.extents.clear();
    // Something else by that name (a link, a folder, a second name of some file) is not written into.
    if (errno != ENOENT && ::unlinkat(folder_, part_name_.c_str(), 0) != 0 && errno != ENOENT) {
      return std::unexpected(DiskError("replace what stands in the way of", errno));
    }
    data_ = OpenOwn(folder_, part_name_, O_RDWR | O_CREAT | O_EXCL);
    if (data_ < 0) return std::unexpected(DiskError("store", errno));
  }
  struct stat info{};
  if (::fstat(data_, &info) != 0) return std::unexpected(DiskError("look at", errno));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::erase_if(journal_.extents, [&](const Extent& e) { return e.offset + e.length > size; });
  resumed_ = journal_.extents;
  // Bytes of no known worth, or past the end, are given back.
  if (size > journal_.size || resumed_.empty()) {
    const off_t keep = static_cast<off_t>(resumed_.empty() ? 0 : journal_.size);
    if (::ftruncate(data_, keep) != 0) return std::unexpected(DiskError("store", errno));
  }
  return {};
}

Status Partial::WriteJournal(bool durable) {
  const std::string fresh = journal_name_ + ".new";
  ::unlinkat(folder_, fresh.c_str(), 0);  // whatever it is: a crash's or somebody's
  const int fd = OpenOwn(folder_, fresh, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
  if (fd < 0) return std::unexpected(DiskError("keep the journal of", errno));
  int error = WriteAll(fd, EncodeJournal(journal_));
  if (error == 0 && durable) error = SyncData(fd);
  if (error == 0 && ::renameat(folder_, fresh.c_str(), folder_, journal_name_.c_str()) != 0) error = errno;
  if (error != 0) {
    ::close(fd);
    ::unlinkat(folder_, fresh.c_str(), 0);
    return std::unexpected(DiskError("keep the journal of", error));
  }
  if (log_ >= 0) ::close(log_);
  log_ = fd;
  return {};
}

Status Partial::Reserve() {
  const int error = ReserveSpace(data_, journal_.size);
  if (error == 0) return {};
  const Error said = DiskError("set aside the space for", error);
  // What was set aside in vain is given back; what was fetched stays.
  std::uint64_t keep = 0;
  for (const Extent& extent : resumed_) keep = std::max(keep, extent.offset + extent.length);
  if (keep == 0) {
    Drop();
  } else if (::ftruncate(data_, static_cast<off_t>(keep)) != 0) {
    return std::unexpected(DiskError("give back the space of", errno));
  }
  return std::unexpected(said);
}

Status Partial::Write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(data_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(DiskError("write", errno));
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Status Partial::Read(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(data_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(DiskError("read back", errno));
    if (got == 0) return std::unexpected(DiskError("read back", EIO));
    offset += static_cast<std::uint64_t>(got);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Status Partial::Record(const Extent& extent) {
  const std::lock_guard lock(mutex_);
  if (gone_) return {};
  journal_.extents.push_back(extent);
  unsynced_ += extent.length;
  if (const int error = WriteAll(log_, EncodeRecord(journal_, extent)); error != 0) {
    return std::unexpected(DiskError("keep the journal of", error));
  }
  return {};
}

void Partial::Forget(std::uint64_t offset, std::uint64_t length) {
  const std::lock_guard lock(mutex_);
  std::erase_if(journal_.extents, [&](const Extent& extent) {
    return extent.offset < offset + length && offset < extent.offset + extent.length;
  });
}

Status Partial::RememberEtag(const std::string& origin, const std::string& etag) {
  const std::lock_guard lock(mutex_);
  if (gone_ || (journal_.etag_origin == origin && journal_.etag == etag)) return {};
  journal_.etag_origin = origin;
  journal_.etag = etag;
  return WriteJournal(false);
}

Status Partial::StartSecondCopy(std::vector<std::uint64_t> first_sums) {
  const std::lock_guard lock(mutex_);
  journal_.copy = 2;
  journal_.first_sums = std::move(first_sums);
  journal_.extents.clear();
  journal_.etag.clear();
  journal_.salt = RandomNumber();
  return WriteJournal(true);
}

Status Partial::Sync() {
  const std::uint64_t pending = unsynced_.exchange(0);
  if (pending == 0) return {};
  if (const int error = SyncData(data_); error != 0) return std::unexpected(DiskError("write", error));
  const std::lock_guard lock(mutex_);
  if (gone_) return {};
  if (const int error = SyncData(log_); error != 0) {
    return std::unexpected(DiskError("keep the journal of", error));
  }
  return {};
}

Status Partial::Publish() {
  const std::lock_guard lock(mutex_);
  // An older, longer partial must not lend its tail; reserving made it exactly this size otherwise.
  struct stat info{};
  if (::fstat(data_, &info) != 0) return std::unexpected(DiskError("look at", errno));
  if (static_cast<std::uint64_t>(info.st_size) != journal_.size &&
      ::ftruncate(data_, static_cast<off_t>(journal_.size)) != 0) {
    return std::unexpected(DiskError("write", errno));
  }
  ::fchmod(data_, ModeUnderUmask(0666));
  if (const int error = SyncFile(data_); error != 0) return std::unexpected(DiskError("write", error));
  if (::renameat(folder_, part_name_.c_str(), folder_, job_.blob.filename().c_str()) != 0) {
    return std::unexpected(DiskError("give its place to", errno));
  }
  gone_ = true;
  ::fsync(folder_);
  ::unlinkat(folder_, journal_name_.c_str(), 0);
  return {};
}

void Partial::Drop() {
  const std::lock_guard lock(mutex_);
  gone_ = true;
  ::unlinkat(folder_, journal_name_.c_str(), 0);
  ::unlinkat(folder_, part_name_.c_str(), 0);
}

std::uint64_t BytesInJournal(const BlobJob& job) {
  const int folder = OpenFolderOf(job.blob);
  if (folder < 0) return 0;
  std::uint64_t bytes = 0;
  struct stat info{};
  const std::string stem = job.blob.filename().string();
  if (::fstatat(folder, (stem + kPart).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode)) {
    const auto journal = ParseJournal(ReadSmall(folder, stem + kJournal), job.file.hash, job.file.size);
    if (journal) {
      for (const Extent& extent : journal->extents) {
        if (extent.offset + extent.length <= static_cast<std::uint64_t>(info.st_size)) bytes += extent.length;
      }
    }
  }
  ::close(folder);
  return bytes;
}

std::uint64_t BytesSetAside(const BlobJob& job) {
  struct stat info{};
  if (::lstat((job.blob.string() + kPart).c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

bool BlobIsThere(const BlobJob& job) {
  struct stat info{};
  return ::stat(job.blob.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<std::uint64_t>(info.st_size) == job.file.size;
}

bool HasLeftovers(const BlobJob& job) {
  const int folder = OpenFolderOf(job.blob);
  if (folder < 0) return false;
  const std::string stem = job.blob.filename().string();
  struct stat info{};
  const auto exists = [&](const std::string& name) {
    return ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
  };
  const bool found = exists(stem + kPart) || exists(stem + kJournal) || exists(stem + kJournal + ".new");
  ::close(folder);
  return found;
}

Status RemoveLeftovers(const BlobJob& job) {
  const int folder = OpenFolderOf(job.blob);
  if (folder < 0) return {};
  const std::string stem = job.blob.filename().string() + ".";
  std::vector<std::string> found;
  if (DIR* entries = ::fdopendir(folder)) {
    while (const dirent* entry = ::readdir(entries)) {
      const std::string name = entry->d_name;
      const bool ours =
          name.ends_with(kPart) || name.ends_with(kJournal) || name.ends_with(std::string(kJournal) + ".new");
      if (ours && name.starts_with(stem)) found.push_back(name);
    }
    Status status;
    for (const std::string& name : found) {
      if (::unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT) {
        status = Fail(ErrorCode::kPermissionDenied,
                      fmt::format("cannot remove {} in {}: {}", name, job.blob.parent_path().string(),
                                  std::strerror(errno)));
      }
    }
    ::closedir(entries);  // closes `folder` as well
    return status;
  }
  ::close(folder);
  return {};
}

}  // namespace gptoss::hub
