#include "hub/begun.h"

#include <vector>

#include "hub/cache.h"

namespace gptoss::hub {

std::string LicenseIdOf(const Listing& listing) {
  if (!listing.license.empty() && listing.license != "other") return listing.license;
  if (!listing.license_name.empty()) return listing.license_name;
  return listing.license.empty() ? std::string(kNoLicense) : listing.license;
}

Manifest BegunManifest(const InstallPlan& plan, const InstallOptions& options,
                       const std::filesystem::path& cache) {
  Manifest manifest;
  manifest.model = plan.model;
  manifest.repository = plan.listing.repository;
  manifest.revision = plan.reference.revision;
  manifest.commit = plan.listing.commit;
  manifest.include = options.include;
  manifest.exclude = options.exclude;
  manifest.folder = RepositoryCache(cache, plan.listing.repository).snapshot(plan.listing.commit);
  manifest.license = LicenseIdOf(plan.listing);
  for (const FileEntry& file : plan.listing.files)
    manifest.files.push_back({.path = file.path, .size = file.size, .hash = file.hash});
  return manifest;
}

std::uint64_t DurableBytesOf(const Manifest& begun, const std::filesystem::path& cache) {
  const RepositoryCache blobs(cache, begun.repository);
  std::vector<BlobJob> jobs;
  for (const ManifestFile& file : begun.files)
    jobs.push_back({.file = {.path = file.path, .size = file.size, .hash = file.hash},
                    .blob = blobs.blob(file.hash),
                    .lock = blobs.lock(file.hash)});
  return DurableBytes(jobs);
}

}  // namespace gptoss::hub
