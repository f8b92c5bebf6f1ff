// The installer's inside: one class, its steps in three files (plan, run, import).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hub/catalog.h"
#include "hub/installer.h"
#include "hub/placement.h"

namespace gptoss::hub {

// What a model's name stands for.
struct InstallTarget {
  std::string name;  // in the catalog, or org/name[:pattern]
  ModelReference reference;
  const CatalogEntry* entry = nullptr;
  std::vector<std::string> include, exclude;
  bool chosen_by_user = false;  // include or exclude or a pattern: whether it is whole is the user's affair
};
Result<InstallTarget> ResolveTarget(const std::string& model, const InstallOptions& options);
// The wanted ones; a pattern without '*' that matches nothing is looked for inside names, as in
// org/name:Q4_K_M. kNotFound shows what there is.
Result<std::vector<FileEntry>> WantedFiles(const InstallTarget& target, const Listing& listing);

class InstallerParts : public Installer {
 public:
  InstallerParts(std::unique_ptr<HubClient> client, LocalFolders folders, std::filesystem::path state,
                 std::string version)
      : client_(std::move(client)),
        folders_(std::move(folders)),
        state_(std::move(state)),
        store_(state_),
        version_(std::move(version)) {}

  HubClient& client() override { return *client_; }
  Result<InstallPlan> Plan(const std::string& model, const InstallOptions& options,
                           const CancelToken& cancel) override;
  Result<Manifest> Run(const InstallPlan& plan, const InstallOptions& options,
                       const ProgressObserver& observer, const PauseControl& pause,
                       const CancelToken& cancel) override;
  Result<Manifest> Repair(const Manifest& manifest, const IntegrityReport& report,
                          const ProgressObserver& observer, const PauseControl& pause,
                          const CancelToken& cancel) override;
  Result<Manifest> InstallFrom(const std::filesystem::path& folder, const std::string& model,
                               const InstallOptions& options, const ProgressObserver& observer,
                               const CancelToken& cancel) override;

 private:
  // What Run and Repair do alike: content that is right, in blobs or in the snapshot, for all of `files`.
  struct Content {
    const RepositoryCache& cache;
    const std::string& commit;
    const std::vector<FileEntry>& files;
    const std::vector<std::pair<std::string, FoundFile>>& reusable;
    const Listing* listing;      // of the whole repository, to be written first; nullptr: not known
    bool found_damaged = false;  // a check of all hashes says so: what its time says does not count
    const ProgressObserver& observer;
    const PauseControl& pause;
    const CancelToken& cancel;
  };
  struct Missing {
    std::vector<BlobJob> jobs;
    std::uint64_t bytes = 0;
  };
  Result<Missing> LookForContent(const Content& content, InstallProgress& progress) const;
  Status BringContent(const Content& content, bool check_index);
  Status Prepare(const Content& content, const Missing& missing) const;
  Status TakeReusable(const Content& content, Missing& missing, InstallProgress& progress) const;
  Status Fetch(const Content& content, const Missing& missing, bool check_index, InstallProgress& progress);
  static bool IsTrusted(const std::vector<Manifest>& manifests, const FileEntry& file,
                        const std::filesystem::path& content);
  bool IsComplete(const InstallPlan& plan) const;
  Result<Listing> FindListing(const InstallTarget& target, const CancelToken& cancel, bool& whole);
  Result<Listing> ListOffline(const InstallTarget& target) const;
  Result<Manifest> Finish(Manifest manifest, const InstallOptions& options) const;
  Result<Manifest> ImportListed(const std::filesystem::path& folder, const Manifest& source,
                                const InstallOptions& options, const ProgressObserver& observer,
                                const CancelToken& cancel);
  Result<Manifest> ImportPlain(const std::filesystem::path& folder, const std::string& model,
                               const InstallOptions& options, const ProgressObserver& observer,
                               const CancelToken& cancel) const;
  RepositoryCache CacheOf(const std::string& repository) const {
    return {client_->options().cache_dir, repository};
  }

  std::unique_ptr<HubClient> client_;
  LocalFolders folders_;
  std::filesystem::path state_;
  ManifestStore store_;
  std::string version_;
};

}  // namespace gptoss::hub
