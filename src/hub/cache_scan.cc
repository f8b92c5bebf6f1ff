// What is in a cache, and what deleting a revision would free.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <map>
#include <set>

#include "base/file.h"
#include "base/file_lock.h"
#include "hub/cache.h"
#include "hub/cache_links.h"
#include "hub/disk.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOwnMark = ".gptoss-";

std::vector<fs::path> Children(const fs::path& folder) {
  std::vector<fs::path> children;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    children.push_back(it->path());
  std::ranges::sort(children);
  return children;
}

bool IsFolder(const fs::path& path) {  // and no link to one
  std::error_code error;
  return fs::is_directory(fs::symlink_status(path, error));
}

// Everything below `folder` that is not a folder; links are not followed.
std::vector<fs::path> FilesBelow(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (!IsFolder(it->path())) files.push_back(it->path());
  return files;
}

// "models--org--name" -> "org/name"; "" for what is no repository of a model.
std::string RepositoryOf(const std::string& folder) {
  constexpr std::string_view kPrefix = "models--";
  if (!folder.starts_with(kPrefix)) return "";
  std::string name = folder.substr(kPrefix.size());
  if (const auto dashes = name.find("--"); dashes != name.npos) name.replace(dashes, 2, "/");
  return ParseModelReference(name) ? name : "";
}

// revision -> commit
std::vector<std::pair<std::string, std::string>> Refs(const RepositoryCache& cache) {
  std::vector<std::pair<std::string, std::string>> refs;
  for (const fs::path& file : FilesBelow(cache.refs())) {
    const std::string revision = file.lexically_relative(cache.refs()).string();
    if (auto commit = ReadRef(cache, revision)) refs.emplace_back(revision, std::move(*commit));
  }
  std::ranges::sort(refs);
  return refs;
}

// Does a living process hold the lock of this blob (ours or another tool's)?
bool IsLocked(const RepositoryCache& cache, const std::string& hash) {
  const fs::path path = cache.locks() / (hash + ".lock");
  std::error_code error;
  if (!fs::exists(path, error)) return false;
  const auto lock = FileLock::Try(path);
  return lock && !lock->has_value();
}

// A temporary of ours whose process is gone: ".gptoss-<what>-<pid>-<random>".
bool IsAbandoned(const std::string& name) {
  const auto last = name.rfind('-');
  const auto before = last == name.npos || last == 0 ? name.npos : name.rfind('-', last - 1);
  if (!name.starts_with(kOwnMark) || before == name.npos) return false;
  int pid = 0;
  const char* const end = name.data() + last;
  if (std::from_chars(name.data() + before + 1, end, pid).ptr != end || pid <= 0) return false;
  return ::kill(pid, 0) != 0 && errno == ESRCH;
}

// Bytes that come free when exactly these files go: a file with further names elsewhere stays.
class Freed {
 public:
  void Add(const fs::path& path) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) return;
    if (S_ISLNK(info.st_mode)) {
      // A blob in the shared store of another tool: its content is that tool's to remove.
      if (struct stat target{};
          path.parent_path().filename() == "blobs" && ::stat(path.c_str(), &target) == 0)
        kept_ += static_cast<std::uint64_t>(target.st_size);
      return;
    }
    if (!S_ISREG(info.st_mode)) return;
    auto size = static_cast<std::uint64_t>(info.st_size);
    if (path.filename().string().find('.') != std::string::npos && path.parent_path().filename() == "blobs")
      size = std::min(size, static_cast<std::uint64_t>(info.st_blocks) * 512);  // partials are sparse
    Inode& inode = inodes_[{info.st_dev, info.st_ino}];
    inode = {size, static_cast<std::uint64_t>(info.st_nlink), inode.seen + 1};
  }
  void AddTo(DeletionPlan& plan) const {
    plan.kept_bytes += kept_;
    for (const auto& [id, inode] : inodes_)
      (inode.seen >= inode.links ? plan.freed_bytes : plan.kept_bytes) += inode.size;
  }

 private:
  struct Inode {
    std::uint64_t size = 0, links = 0, seen = 0;
  };
  std::map<std::pair<dev_t, ino_t>, Inode> inodes_;
  std::uint64_t kept_ = 0;
};

class Planner {
 public:
  Planner(const RepositoryCache& cache, const std::string& commit, const std::vector<std::string>& keep)
      : cache_(cache), commit_(commit), keep_(keep.begin(), keep.end()), links_(SnapshotLinks(cache)) {}

  DeletionPlan Make() {
    plan_.repository_folder = cache_.folder();
    if (keep_.empty()) {
      for (const auto& [revision, commit] : Refs(cache_))
        if (commit == commit_) Remove(cache_.ref(revision));
    }
    RemoveSnapshot();
    RemoveBlobs();
    bool busy = false;
    RemovePartials(busy);
    if (keep_.empty()) {
      RemoveIfThere(cache_.tree(commit_));
      RemoveIfThere(cache_.folder() / ".no_exist" / commit_);
      AddEmptyFolders();
      if (IsLast() && !busy) RemoveEverything();
    }
    freed_.AddTo(plan_);
    return std::move(plan_);
  }

 private:
  void Remove(const fs::path& path) {
    plan_.remove.push_back(path);
    if (!IsFolder(path)) freed_.Add(path);
  }
  void RemoveIfThere(const fs::path& path) {
    std::error_code error;
    if (fs::exists(fs::symlink_status(path, error))) Remove(path);
  }

  bool IsLast() const {
    return std::ranges::none_of(Children(cache_.snapshots()), [&](const fs::path& folder) {
      return folder.filename() != commit_ && IsFolder(folder);
    });
  }

  void RemoveSnapshot() {
    const fs::path folder = cache_.snapshot(commit_);
    if (keep_.empty()) plan_.remove.push_back(folder);
    for (const fs::path& file : FilesBelow(folder)) {
      if (keep_.contains(file.lexically_relative(folder).string())) continue;
      freed_.Add(file);
      if (keep_.empty()) continue;
      plan_.remove.push_back(file);
      for (fs::path parent = file.parent_path(); parent != folder; parent = parent.parent_path())
        plan_.remove_if_empty.push_back(parent);
    }
    std::ranges::sort(plan_.remove_if_empty, std::greater<>());
  }

  void RemoveBlobs() {
    std::set<std::string> needed, mine;
    for (const SnapshotLink& link : links_)
      (link.commit != commit_ || keep_.contains(link.path) ? needed : mine).insert(link.hash);
    for (const std::string& hash : mine) {
      if (!needed.contains(hash)) {
        RemoveIfThere(cache_.blobs() / hash);
      } else if (struct stat info{}; ::stat((cache_.blobs() / hash).c_str(), &info) == 0) {
        plan_.kept_bytes += static_cast<std::uint64_t>(info.st_size);
      }
    }
  }

  // Hashes that another listed commit may still be fetching.
  std::set<std::string> WantedByOthers() const {
    std::set<std::string> wanted;
    for (const fs::path& tree : Children(cache_.folder() / "trees")) {
      if (tree.stem() == commit_ && keep_.empty()) continue;
      const auto listing = ReadTree(cache_, tree.stem().string());
      if (!listing) continue;
      for (const FileEntry& file : listing->files) wanted.insert(file.hash.hex);
    }
    return wanted;
  }

  void RemovePartials(bool& busy) {
    const std::set<std::string> wanted = WantedByOthers();
    const bool last = IsLast() && keep_.empty();
    for (const fs::path& file : Children(cache_.blobs())) {
      const std::string name = file.filename().string();
      const std::string hash = name.substr(0, name.find('.'));
      if (hash == name || !ParseContentHash(hash)) continue;
      if (IsLocked(cache_, hash)) {
        busy = true;
      } else if (last || (name.find(kOwnMark) != name.npos && !wanted.contains(hash))) {
        Remove(file);
      }
    }
    for (const fs::path& file : Children(cache_.folder()))
      if (IsAbandoned(file.filename().string())) Remove(file);
  }

  void AddEmptyFolders() {
    for (const auto& [revision, commit] : Refs(cache_)) {
      if (commit != commit_) continue;
      for (fs::path parent = cache_.ref(revision).parent_path(); parent != cache_.refs();
           parent = parent.parent_path())
        plan_.remove_if_empty.push_back(parent);
    }
    plan_.remove_if_empty.push_back(cache_.folder() / ".no_exist");
  }

  // The last revision takes the repository along, as it does in the reference client; only the lock files
  // stay: whoever removed one would let two processes in.
  void RemoveEverything() {
    const std::set<fs::path> counted(plan_.remove.begin(), plan_.remove.end());
    const fs::path snapshot = cache_.snapshot(commit_);
    for (const fs::path& file : FilesBelow(cache_.folder())) {
      if (counted.contains(file)) continue;
      if (std::ranges::mismatch(snapshot, file).in1 != snapshot.end()) freed_.Add(file);
    }
    plan_.remove.push_back(cache_.folder());
    plan_.remove_if_empty.clear();
  }

  const RepositoryCache& cache_;
  const std::string& commit_;
  std::set<std::string> keep_;
  std::vector<SnapshotLink> links_;
  DeletionPlan plan_;
  Freed freed_;
};

Status RemoveOne(const fs::path& path) {
  if (IsFolder(path)) {
    std::error_code error;
    fs::remove_all(path, error);  // links inside are removed, not followed
    if (error) return FailSystem("remove", path, error.value());
    return {};
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FailSystem("remove", path, errno);
  return {};
}

}  // namespace

std::vector<CachedSnapshot> ScanCache(const fs::path& root) {
  std::vector<CachedSnapshot> found;
  for (const fs::path& folder : Children(root)) {
    const std::string repository = RepositoryOf(folder.filename().string());
    if (repository.empty() || !IsFolder(folder)) continue;
    const RepositoryCache cache(root, repository);
    const auto refs = Refs(cache);
    for (const fs::path& snapshot : Children(cache.snapshots())) {
      const std::string commit = snapshot.filename().string();
      if (!IsCommit(commit) || !IsFolder(snapshot)) continue;
      CachedSnapshot entry{.repository = repository, .commit = commit, .refs = {}, .folder = snapshot};
      for (const auto& [revision, target] : refs)
        if (target == commit) entry.refs.push_back(revision);
      found.push_back(std::move(entry));
    }
  }
  return found;
}

Result<DeletionPlan> PlanDeletion(const RepositoryCache& cache, const std::string& commit,
                                  const std::vector<std::string>& keep) {
  if (!IsCommit(commit) || !IsFolder(cache.snapshot(commit))) {
    return Fail(ErrorCode::kNotFound, fmt::format("{} at {} is not in the cache {}", cache.repository(),
                                                  commit.substr(0, 12), cache.root().string()));
  }
  for (const fs::path& folder : {cache.folder(), cache.blobs(), cache.snapshots(), cache.refs()}) {
    if (std::error_code error; fs::is_symlink(folder, error)) {
      return Fail(
          ErrorCode::kPermissionDenied,
          fmt::format("{} is a link; nothing behind it is deleted: remove it yourself", folder.string()));
    }
  }
  return Planner(cache, commit, keep).Make();
}

Status Delete(const DeletionPlan& plan) {
  Status status;
  for (const fs::path& path : plan.remove)
    if (Status removed = RemoveOne(path); !removed && status) status = std::move(removed);
  for (const fs::path& path : plan.remove_if_empty) ::rmdir(path.c_str());
  return status;
}

}  // namespace gptoss::hub
