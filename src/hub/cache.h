// The cache that other tools share: models--org--name/{blobs,refs,snapshots,trees} under one root. Names,
// links and locks as the reference client makes them, so that neither harms the other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "hub/repository.h"
#include "hub/transfer.h"

namespace gptoss::hub {

// Paths of one repository in a cache. A pure value; touches nothing.
class RepositoryCache {
 public:
  RepositoryCache(std::filesystem::path root, const std::string& repository);
  const std::filesystem::path& root() const;
  const std::string& repository() const;
  std::filesystem::path folder() const;  // models--org--name
  std::filesystem::path blob(const ContentHash& hash) const;
  std::filesystem::path snapshot(const std::string& commit) const;
  std::filesystem::path ref(const std::string& revision) const;
  std::filesystem::path tree(const std::string& commit) const;
  std::filesystem::path lock(const ContentHash& hash) const;

 private:
  std::filesystem::path root_;
  std::string repository_;
};

// Makes the folders (never through links below the root), CACHEDIR.TAG; kPermissionDenied/kResourceExhausted
// before any byte is fetched where the disk is read-only or foreign.
Status PrepareRepository(const RepositoryCache& cache);
// Writes trees/<commit>.json from a validated listing.
Status WriteTree(const RepositoryCache& cache, const Listing& listing);
// Links (or, without symlinks, places) the blobs of `files` under snapshots/<commit>/; atomically per entry.
Status PublishSnapshot(const RepositoryCache& cache, const std::string& commit,
                       const std::vector<FileEntry>& files, bool use_symlinks);
// refs/<revision> = commit, last of all.
Status PublishRef(const RepositoryCache& cache, const std::string& revision, const std::string& commit);
std::optional<std::string> ReadRef(const RepositoryCache& cache, const std::string& revision);

struct CachedSnapshot {
  std::string repository, commit;
  std::vector<std::string> refs;
  std::filesystem::path folder;
};
// What is in a cache, by whoever wrote it. Follows the shared store's two hops; skips what is not a snapshot.
std::vector<CachedSnapshot> ScanCache(const std::filesystem::path& root);

// What deleting a snapshot would free: blobs that no other revision needs. Removes our own partials too.
struct DeletionPlan {
  std::vector<std::filesystem::path> remove;
  std::uint64_t freed_bytes = 0;
  std::uint64_t kept_bytes = 0;  // shared with other revisions, repositories or tools
};
Result<DeletionPlan> PlanDeletion(const RepositoryCache& cache, const std::string& commit);
Status Delete(const DeletionPlan& plan);

// Models that other tools keep (Ollama's blobs by digest, LM Studio's folders, llama.cpp's cache): whole
// files that could be taken instead of fetched, looked up by size and then by hash.
struct FoundFile {
  std::filesystem::path path;
  std::uint64_t size = 0;
  std::string owner;  // "Ollama", "LM Studio", "llama.cpp", "another revision"
};
std::vector<FoundFile> FindLocalFiles(const FileEntry& file);

}  // namespace gptoss::hub
