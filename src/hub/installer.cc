// The order of an install: tree, blobs, links, ref, manifest.
#include "hub/installer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "hub/completeness.h"
#include "hub/disk.h"
#include "hub/installer_parts.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

// A complete model on a read-only disk is a model: what could not be noted beside it is left out.
bool IsReadOnly(const Status& status) {
  return !status && status.error().code == ErrorCode::kPermissionDenied;
}

// A read-only cache may have the snapshot and not the ref.
Status PublishRefIfMay(const RepositoryCache& cache, const std::string& revision, const std::string& commit) {
  const Status published = PublishRef(cache, revision, commit);
  return IsReadOnly(published) ? Status() : published;
}

std::vector<fs::path> CandidatesFor(const std::string& path,
                                    const std::vector<std::pair<std::string, FoundFile>>& reusable,
                                    std::string& owner) {
  std::vector<fs::path> candidates;
  for (const auto& [wanted, found] : reusable) {
    if (wanted != path) continue;
    if (candidates.empty()) owner = found.owner;
    candidates.push_back(found.path);
  }
  return candidates;
}

}  // namespace

// Verified before by us, and neither replaced nor written to since.
bool InstallerParts::IsTrusted(const std::vector<Manifest>& manifests, const FileEntry& file,
                               const fs::path& content) {
  const std::int64_t time = ModificationTime(content);
  for (const Manifest& manifest : manifests) {
    for (const ManifestFile& known : manifest.files) {
      if (known.hash != file.hash || known.size != file.size || known.mtime_ns == 0 || known.mtime_ns != time)
        continue;
      std::error_code error;
      if (fs::equivalent(manifest.folder / known.path, content, error) && !error) return true;
    }
  }
  return false;
}

Result<InstallerParts::Missing> InstallerParts::LookForContent(const Content& content,
                                                               InstallProgress& progress) const {
  const std::vector<Manifest> manifests = store_.List();
  std::vector<PresentFile> unverified;
  std::set<std::string> absent;
  for (const FileEntry& file : content.files) {
    const auto found = FindContent(content.cache, content.commit, file);
    if (!found) {
      absent.insert(file.path);
    } else if (!content.found_damaged && IsTrusted(manifests, file, *found)) {
      progress.FileDone(file.size, 0);
    } else {
      unverified.push_back({file, *found});
    }
  }
  GPTOSS_TRY(const std::set<std::string> damaged, FindDamaged(unverified, progress, content.cancel));
  Missing missing;
  for (const FileEntry& file : content.files) {
    const bool is_damaged = damaged.contains(file.path);
    if (!absent.contains(file.path) && !is_damaged) continue;
    const fs::path blob = content.cache.blob(file.hash);
    std::error_code error;
    // Something that is no content of ours (a link to elsewhere, a truncated file) gives way to the right
    // one; what another process has put there meanwhile does not.
    const bool replace = fs::exists(fs::symlink_status(blob, error)) &&
                         (is_damaged || !FindContent(content.cache, content.commit, file));
    missing.jobs.push_back(
        {.file = file, .blob = blob, .lock = content.cache.lock(file.hash), .replace = replace});
    missing.bytes += file.size;
  }
  return missing;
}

// Everything that can fail without the network fails here.
Status InstallerParts::Prepare(const Content& content, const Missing& missing) const {
  GPTOSS_CHECK_OK(PrepareRepository(content.cache));
  if (content.listing != nullptr)
    GPTOSS_CHECK_OK(ValidateListing(*content.listing, IgnoresCase(content.cache.root())));
  std::vector<BlobJob> partial;
  for (const BlobJob& job : missing.jobs)
    if (!job.replace) partial.push_back(job);
  const std::uint64_t taken = TakenBytes(partial);
  const std::uint64_t margin = client_->options().disk_margin_bytes;
  const std::uint64_t needed = missing.bytes - std::min(missing.bytes, taken) + margin;
  const std::uint64_t free = FreeBytes(content.cache.blobs());
  if (free >= needed) return {};
  return Fail(
      ErrorCode::kResourceExhausted,
      fmt::format("{} has {} bytes free and {} are needed: {} to fetch and a margin of {}; free {} bytes or "
                  "choose another disk with HF_HUB_CACHE. Nothing was fetched",
                  content.cache.root().string(), WithCommas(free), WithCommas(needed),
                  WithCommas(needed - margin), WithCommas(margin), WithCommas(needed - free)));
}

Status InstallerParts::TakeReusable(const Content& content, Missing& missing,
                                    InstallProgress& progress) const {
  std::vector<BlobJob> left;
  for (const BlobJob& job : missing.jobs) {
    std::string owner;
    auto candidates = CandidatesFor(job.file.path, content.reusable, owner);
    std::erase(candidates, job.blob);
    Result<bool> placed = false;
    if (!candidates.empty()) {
      placed = PlaceBlob(content.cache, job.file, candidates, true, "verifying", progress, content.cancel);
    }
    if (!placed) return std::unexpected(std::move(placed).error());
    if (*placed) {
      missing.bytes -= job.file.size;
    } else {
      left.push_back(job);
    }
  }
  missing.jobs = std::move(left);
  return {};
}

Status InstallerParts::Fetch(const Content& content, const Missing& missing, bool check_index,
                             InstallProgress& progress) {
  const auto fetch = [&](const std::vector<BlobJob>& jobs, const ProgressObserver& observer) {
    return FetchBlobs(*client_, content.cache.repository(), content.commit, jobs, observer, content.pause,
                      content.cancel);
  };
  const FileEntry* const index = check_index ? FindWeightIndex(content.files) : nullptr;
  if (index != nullptr) {
    // The small file that says what the large ones are comes first.
    std::vector<BlobJob> first;
    for (const BlobJob& job : missing.jobs)
      if (job.file.path == index->path) first.push_back(job);
    if (!first.empty()) GPTOSS_CHECK_OK(fetch(first, {}));
    if (const auto found = FindContent(content.cache, content.commit, *index))
      GPTOSS_CHECK_OK(CheckWeightIndex(content.files, *index, *found));
  }
  if (missing.jobs.empty()) return {};
  std::vector<BlobJob> rest = missing.jobs;
  for (BlobJob& job : rest)
    if (index != nullptr && job.file.path == index->path) job.replace = false;  // just fetched
  return fetch(rest, progress.ForTransfer());
}

Status InstallerParts::BringContent(const Content& content, bool check_index) {
  std::uint64_t total = 0;
  for (const FileEntry& file : content.files) total += file.size;
  InstallProgress progress(content.observer, total, static_cast<int>(content.files.size()));
  GPTOSS_TRY(Missing missing, LookForContent(content, progress));
  const bool nothing_missing = missing.jobs.empty();
  if (!nothing_missing) GPTOSS_CHECK_OK(Prepare(content, missing));
  if (content.listing != nullptr) {
    const Status written = WriteTree(content.cache, *content.listing);
    if (!written && !(nothing_missing && IsReadOnly(written))) return written;
  }
  GPTOSS_CHECK_OK(TakeReusable(content, missing, progress));
  GPTOSS_CHECK_OK(Fetch(content, missing, check_index, progress));
  std::vector<BlobJob> all;
  for (const FileEntry& file : content.files)
    all.push_back(
        {.file = file, .blob = content.cache.blob(file.hash), .lock = content.cache.lock(file.hash)});
  SweepLeftovers(all);
  return {};
}

Result<Manifest> InstallerParts::Finish(Manifest manifest, const InstallOptions& options) const {
  if (const auto old = store_.Find(manifest.model); old && old->commit == manifest.commit)
    manifest.acknowledgement = old->acknowledgement;
  if (!options.acknowledged_how.empty()) {
    manifest.acknowledgement = Acknowledgement{.license = manifest.license,
                                               .commit = manifest.commit,
                                               .time = NowRfc3339(),
                                               .how = options.acknowledged_how};
  }
  GPTOSS_CHECK_OK(StampVerified(manifest, version_));
  GPTOSS_CHECK_OK(store_.Write(manifest));
  return manifest;
}

Result<Manifest> InstallerParts::Run(const InstallPlan& plan, const InstallOptions& options,
                                     const ProgressObserver& observer, const PauseControl& pause,
                                     const CancelToken& cancel) {
  GPTOSS_TRY(const InstallTarget target, ResolveTarget(plan.model, options));
  const RepositoryCache cache = CacheOf(plan.listing.repository);
  const std::string& commit = plan.listing.commit;
  if (plan.already_complete) {
    // All but the ref perhaps, which another program may have moved or spoilt.
    GPTOSS_CHECK_OK(PublishRefIfMay(cache, plan.reference.revision, commit));
    if (auto installed = store_.Find(plan.model)) return installed;
  }
  GPTOSS_CHECK_OK(ValidateListing(plan.listing, false));
  Listing whole = plan.listing;
  whole.files = plan.all_files;
  const std::vector<std::pair<std::string, FoundFile>> none;
  GPTOSS_CHECK_OK(BringContent({.cache = cache,
                                .commit = commit,
                                .files = plan.listing.files,
                                .reusable = options.reuse_found ? plan.reusable : none,
                                .listing = whole.files.empty() ? nullptr : &whole,
                                .observer = observer,
                                .pause = pause,
                                .cancel = cancel},
                               !target.chosen_by_user));
  GPTOSS_CHECK_OK(PublishSnapshot(cache, commit, plan.listing.files, client_->options().use_symlinks));
  GPTOSS_CHECK_OK(PublishRefIfMay(cache, plan.reference.revision, commit));
  Manifest manifest{.model = plan.model,
                    .repository = cache.repository(),
                    .revision = plan.reference.revision,
                    .commit = commit,
                    .include = options.include,
                    .exclude = options.exclude,
                    .folder = cache.snapshot(commit),
                    .license = plan.listing.license};
  for (const FileEntry& file : plan.listing.files)
    manifest.files.push_back({.path = file.path, .size = file.size, .hash = file.hash});
  return Finish(std::move(manifest), options);
}

Result<Manifest> InstallerParts::Repair(const Manifest& manifest, const IntegrityReport& report,
                                        const ProgressObserver& observer, const PauseControl& pause,
                                        const CancelToken& cancel) {
  const fs::path snapshots = manifest.folder.parent_path();
  const RepositoryCache cache(snapshots.parent_path().parent_path(), manifest.repository);
  if (!IsCommit(manifest.commit) || manifest.folder != cache.snapshot(manifest.commit)) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("{} came from a folder, so nobody knows where to fetch its files; install it again from "
                    "there",
                    manifest.model));
  }
  std::set<std::string> damaged;
  for (const auto& problem : report.problems) damaged.insert(problem.path);
  std::vector<FileEntry> files;
  for (const ManifestFile& file : manifest.files)
    if (damaged.contains(file.path))
      files.push_back({.path = file.path, .size = file.size, .hash = file.hash});
  const auto reusable = FindLocalFiles(files, folders_);
  GPTOSS_CHECK_OK(BringContent({.cache = cache,
                                .commit = manifest.commit,
                                .files = files,
                                .reusable = reusable,
                                .listing = nullptr,
                                .found_damaged = true,
                                .observer = observer,
                                .pause = pause,
                                .cancel = cancel},
                               false));
  GPTOSS_CHECK_OK(PublishSnapshot(cache, manifest.commit, files, client_->options().use_symlinks));
  return Finish(manifest, {});
}

std::unique_ptr<Installer> Installer::CreateWith(std::unique_ptr<HubClient> client, LocalFolders folders,
                                                 fs::path state_folder, std::string program_version) {
  return std::make_unique<InstallerParts>(std::move(client), std::move(folders), std::move(state_folder),
                                          std::move(program_version));
}

Result<std::unique_ptr<Installer>> Installer::Create(const HubOptions& options, fs::path state_folder,
                                                     std::string program_version) {
  GPTOSS_TRY(auto client, HubClient::Create(options));
  return CreateWith(std::move(client), LocalFoldersFromEnvironment(options.cache_dir),
                    std::move(state_folder), std::move(program_version));
}

}  // namespace gptoss::hub
