// Which entry of which snapshot leads to which blob. Shared by publishing, scanning and deleting.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hub/cache.h"

namespace gptoss::hub {

// The blob of `file` if it has the right size: itself, or what it links to in the cache's shared store.
std::optional<std::filesystem::path> BlobContent(const RepositoryCache& cache, const FileEntry& file);
// Is `entry` a link to exactly `blob` (by name, not through further links)?
bool LinksTo(const std::filesystem::path& entry, const std::filesystem::path& blob);

struct SnapshotLink {
  std::string commit, path, hash;
};
// All links of all snapshots that lead to blobs of this repository.
std::vector<SnapshotLink> SnapshotLinks(const RepositoryCache& cache);

}  // namespace gptoss::hub
