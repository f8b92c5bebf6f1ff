// The cache that other tools share: models--org--name/{blobs,refs,snapshots,trees} under one root. Names,
// links and locks as the reference client makes them, so that neither harms the other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "hub/repository.h"

namespace gptoss::hub {

// Paths of one repository in a cache. A pure value; touches nothing.
class RepositoryCache {
 public:
  RepositoryCache(std::filesystem::path root, const std::string& repository);
  const std::filesystem::path& root() const { return root_; }
  const std::string& repository() const { return repository_; }
  const std::string& folder_name() const { return folder_name_; }  // models--org--name
  std::filesystem::path folder() const { return root_ / folder_name_; }
  std::filesystem::path blobs() const { return folder() / "blobs"; }
  std::filesystem::path blob(const ContentHash& hash) const { return blobs() / hash.hex; }
  std::filesystem::path snapshots() const { return folder() / "snapshots"; }
  std::filesystem::path snapshot(const std::string& commit) const { return snapshots() / commit; }
  std::filesystem::path refs() const { return folder() / "refs"; }
  std::filesystem::path ref(const std::string& revision) const { return refs() / revision; }
  std::filesystem::path tree(const std::string& commit) const {
    return folder() / "trees" / (commit + ".json");
  }
  std::filesystem::path locks() const { return root_ / ".locks" / folder_name_; }
  std::filesystem::path lock(const ContentHash& hash) const { return locks() / (hash.hex + ".lock"); }

 private:
  std::filesystem::path root_;
  std::string repository_, folder_name_;
};

// Makes the folders (never through links below the root), CACHEDIR.TAG, and a file to see that it can;
// kPermissionDenied/kResourceExhausted before any byte is fetched where the disk is read-only or foreign.
Status PrepareRepository(const RepositoryCache& cache);
// Does the disk take "Name" and "name" for one? Looks at names that are there; writes nothing.
bool IgnoresCase(const std::filesystem::path& folder);

// trees/<commit>.json from a validated listing of the whole repository (a part of it would make other
// clients believe that nothing else exists). Writes nothing where the same is there.
Status WriteTree(const RepositoryCache& cache, const Listing& listing);
std::string TreeToJson(const Listing& listing);
// The files of a tree, sorted, names and hashes validated. kNotFound, kDataLoss.
Result<std::vector<FileEntry>> ParseTree(std::string_view json);
Result<Listing> ReadTree(const RepositoryCache& cache, const std::string& commit);

// Where the content of `file` lies, if it has the right size: the blob (a link into the shared store is
// followed), or the entry of the snapshot itself where no links are used. Links to anywhere else do not
// count. Its hash was not checked.
std::optional<std::filesystem::path> FindContent(const RepositoryCache& cache, const std::string& commit,
                                                 const FileEntry& file);
// Links (or, without symlinks, places) the blobs of `files` under snapshots/<commit>/; atomically per entry.
// An entry that is right already is not touched: a complete snapshot is published without a write.
Status PublishSnapshot(const RepositoryCache& cache, const std::string& commit,
                       const std::vector<FileEntry>& files, bool use_symlinks);
// refs/<revision> = commit, last of all. A revision that is a commit has no ref.
Status PublishRef(const RepositoryCache& cache, const std::string& revision, const std::string& commit);
// nullopt: none, or not 40 hex digits.
std::optional<std::string> ReadRef(const RepositoryCache& cache, const std::string& revision);

struct CachedSnapshot {
  std::string repository, commit;
  std::vector<std::string> refs;
  std::filesystem::path folder;
};
// What is in a cache, by whoever wrote it, sorted. Skips what is not a snapshot of a model.
std::vector<CachedSnapshot> ScanCache(const std::filesystem::path& root);

// What deleting a snapshot would free: blobs that no other revision needs. Removes our own partials too.
struct DeletionPlan {
  std::filesystem::path repository_folder;
  std::vector<std::filesystem::path> remove;           // in this order
  std::vector<std::filesystem::path> remove_if_empty;  // then these
  std::uint64_t freed_bytes = 0;
  std::uint64_t kept_bytes = 0;  // shared with other revisions, repositories or tools
};
// `keep`: names in this snapshot that another installed model needs (two patterns of one repository may be
// installed): they and what belongs to the snapshot as a whole stay. kNotFound, kPermissionDenied.
Result<DeletionPlan> PlanDeletion(const RepositoryCache& cache, const std::string& commit,
                                  const std::vector<std::string>& keep = {});
// Unlinks, never truncates: whoever has a file mapped keeps it.
Status Delete(const DeletionPlan& plan);

// Folders of other tools on this machine.
struct LocalFolders {
  std::vector<std::filesystem::path> hub_caches;  // the one in use first
  std::vector<std::filesystem::path> ollama, lm_studio, llama_cpp;
};
// By their own variables and defaults: OLLAMA_MODELS, LLAMA_CACHE, LM Studio's settings.json …
LocalFolders LocalFoldersFromEnvironment(const std::filesystem::path& hub_cache);

// A whole file that could be taken instead of fetched. Its hash is to be checked before it is trusted.
struct FoundFile {
  std::filesystem::path path;
  std::uint64_t size = 0;
  std::string owner;           // "Ollama", "LM Studio", "llama.cpp", "org/name" of another repository
  bool named_by_hash = false;  // false: only its size says that it may be the one
};
// For each of `files` at most a few candidates, best first, by path of the file. Looks at names and sizes
// only; files under 1 MB are taken by hash alone.
std::vector<std::pair<std::string, FoundFile>> FindLocalFiles(const std::vector<FileEntry>& files,
                                                              const LocalFolders& folders);

}  // namespace gptoss::hub
