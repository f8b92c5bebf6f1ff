// Entries of a snapshot: links to blobs, or the content itself where there are no links.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "hub/cache.h"
#include "hub/cache_links.h"
#include "hub/disk.h"

namespace gptoss::hub {
namespace {

bool IsRegular(const struct stat& info, std::uint64_t size) {
  return S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) == size;
}

// "../../blobs/<hash>", with one more "../" for each folder that the entry lies in.
std::string LinkText(const FileEntry& file) {
  std::string text = "../../";
  for (const char c : file.path)
    if (c == '/') text += "../";
  return text + "blobs/" + file.hash.hex;
}

class Publisher {
 public:
  Publisher(const RepositoryCache& cache, const std::string& commit, bool use_symlinks)
      : cache_(cache), commit_(commit), use_symlinks_(use_symlinks) {}

  Status Publish(const std::vector<FileEntry>& files) {
    for (const FileEntry& file : files) ++uses_[file.hash.hex];
    for (const FileEntry& file : files) GPTOSS_CHECK_OK(PublishOne(file));
    for (const auto& folder : touched_) SyncFolder(folder);
    return {};
  }

 private:
  std::filesystem::path Entry(const FileEntry& file) const { return cache_.snapshot(commit_) / file.path; }

  Status PublishOne(const FileEntry& file) {
    const std::filesystem::path entry = Entry(file);
    const bool last_use = --uses_[file.hash.hex] == 0;
    struct stat info{};
    const bool there = ::lstat(entry.c_str(), &info) == 0;
    if (there && S_ISDIR(info.st_mode)) {
      return Fail(
          ErrorCode::kFailedPrecondition,
          fmt::format("{} is a folder and has to be a file; remove it and install again", entry.string()));
    }
    const bool has_blob = BlobContent(cache_, file).has_value();
    if (there && S_ISLNK(info.st_mode) && has_blob && LinksTo(entry, cache_.blob(file.hash))) return {};
    if (!has_blob) {
      if (there && IsRegular(info, file.size)) return {};  // placed by somebody who uses no links
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} is not there to be published as {}; install again",
                              cache_.blob(file.hash).string(), file.path));
    }
    const auto folder =
        (std::filesystem::path(cache_.folder_name()) / "snapshots" / commit_ / file.path).parent_path();
    GPTOSS_CHECK_OK(MakeFolders(cache_.root(), folder));
    touched_.insert(entry.parent_path());
    if (use_symlinks_) {
      GPTOSS_TRY(const bool linked, Link(file, entry));
      if (linked) return {};
      use_symlinks_ = false;  // this file system has none
    }
    return Place(file, entry, last_use);
  }

  // False: no symbolic links here.
  Result<bool> Link(const FileEntry& file, const std::filesystem::path& entry) const {
    const std::filesystem::path temporary = cache_.folder() / TemporaryName("link");
    if (::symlink(LinkText(file).c_str(), temporary.c_str()) != 0) {
      const int error = errno;
      if (error == EPERM || error == ENOTSUP || error == EOPNOTSUPP || error == ENOSYS) return false;
      return FailSystem("make a link in", cache_.folder(), error);
    }
    if (::rename(temporary.c_str(), entry.c_str()) == 0) return true;
    const int error = errno;
    ::unlink(temporary.c_str());
    return FailSystem("make the link", entry, error);
  }

  // As the reference client: a blob that nobody else needs is moved, else its content gets a second name.
  Status Place(const FileEntry& file, const std::filesystem::path& entry, bool last_use) {
    const std::filesystem::path blob = cache_.blob(file.hash);
    struct stat info{};
    const bool own = ::lstat(blob.c_str(), &info) == 0 && S_ISREG(info.st_mode);
    if (own && last_use && !LinkedElsewhere(file.hash)) {
      if (::rename(blob.c_str(), entry.c_str()) != 0) return FailSystem("move the file to", entry, errno);
      return {};
    }
    const auto content = BlobContent(cache_, file);
    if (!content) return Fail(ErrorCode::kNotFound, fmt::format("{}: its content has gone away", file.path));
    const std::filesystem::path temporary = cache_.folder() / TemporaryName("place");
    if (const auto shared = ShareFile(*content, temporary, own); !shared)
      return std::unexpected(shared.error());
    if (::rename(temporary.c_str(), entry.c_str()) == 0) return {};
    const int error = errno;
    ::unlink(temporary.c_str());
    return FailSystem("move the file to", entry, error);
  }

  // Does a link of any snapshot of this repository lead to the blob?
  bool LinkedElsewhere(const ContentHash& hash) {
    if (!linked_) {
      linked_.emplace();
      for (const SnapshotLink& link : SnapshotLinks(cache_)) linked_->insert(link.hash);
    }
    return linked_->contains(hash.hex);
  }

  const RepositoryCache& cache_;
  const std::string& commit_;
  bool use_symlinks_;
  std::map<std::string, int> uses_;  // entries still to be made, by hash
  std::set<std::filesystem::path> touched_;
  std::optional<std::set<std::string>> linked_;
};

}  // namespace

std::optional<std::filesystem::path> BlobContent(const RepositoryCache& cache, const FileEntry& file) {
  const std::filesystem::path blob = cache.blob(file.hash);
  struct stat info{};
  if (::lstat(blob.c_str(), &info) != 0) return std::nullopt;
  if (IsRegular(info, file.size)) return blob;
  if (!S_ISLNK(info.st_mode)) return std::nullopt;
  // The shared store: <root>/blobs/<2 hex>/<hash>, reached through a link of the repository.
  std::error_code error;
  const auto real = std::filesystem::canonical(blob, error);
  if (error) return std::nullopt;
  const auto store = std::filesystem::canonical(cache.root(), error) / "blobs";
  if (error || real.parent_path().parent_path() != store) return std::nullopt;
  if (::lstat(real.c_str(), &info) != 0 || !IsRegular(info, file.size)) return std::nullopt;
  return real;
}

bool LinksTo(const std::filesystem::path& entry, const std::filesystem::path& blob) {
  std::error_code error;
  const auto text = std::filesystem::read_symlink(entry, error);
  if (error) return false;
  // The folder of the entry as it really is, then the text: links in the middle cannot fool this.
  const auto folder = std::filesystem::canonical(entry.parent_path(), error);
  if (error) return false;
  const auto blobs = std::filesystem::canonical(blob.parent_path(), error);
  if (error) return false;
  return (text.is_absolute() ? text : folder / text).lexically_normal() == blobs / blob.filename();
}

std::vector<SnapshotLink> SnapshotLinks(const RepositoryCache& cache) {
  std::vector<SnapshotLink> links;
  std::error_code error;
  for (std::filesystem::directory_iterator it(cache.snapshots(), error), end; !error && it != end;
       it.increment(error)) {
    const std::string commit = it->path().filename().string();
    std::error_code inner;
    if (it->is_symlink(inner) || !it->is_directory(inner)) continue;
    for (std::filesystem::recursive_directory_iterator entry(it->path(), inner), last;
         !inner && entry != last; entry.increment(inner)) {
      std::error_code ignored;
      if (!entry->is_symlink(ignored)) continue;
      const auto text = std::filesystem::read_symlink(entry->path(), ignored);
      const std::string hash = text.filename().string();
      if (!ParseContentHash(hash) || !LinksTo(entry->path(), cache.blobs() / hash)) continue;
      links.push_back({commit, entry->path().lexically_relative(it->path()).string(), hash});
    }
  }
  return links;
}

std::optional<std::filesystem::path> FindContent(const RepositoryCache& cache, const std::string& commit,
                                                 const FileEntry& file) {
  if (auto blob = BlobContent(cache, file)) return blob;
  const std::filesystem::path entry = cache.snapshot(commit) / file.path;
  struct stat info{};
  if (::lstat(entry.c_str(), &info) == 0 && IsRegular(info, file.size)) return entry;
  return std::nullopt;
}

Status PublishSnapshot(const RepositoryCache& cache, const std::string& commit,
                       const std::vector<FileEntry>& files, bool use_symlinks) {
  if (!IsCommit(commit)) return Fail(ErrorCode::kInvalidArgument, "a commit has 40 hex digits");
  return Publisher(cache, commit, use_symlinks).Publish(files);
}

}  // namespace gptoss::hub
