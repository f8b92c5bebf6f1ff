// What an install would do. Nothing is written here.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "hub/cache_links.h"
#include "hub/completeness.h"
#include "hub/disk.h"
#include "hub/installer_parts.h"
#include "hub/part_name.h"
#include "hub/request_policy.h"

namespace gptoss::hub {
namespace {

constexpr std::size_t kShownNames = 12;

std::string SomeNames(const std::vector<FileEntry>& files) {
  std::string names;
  for (std::size_t i = 0; i < std::min(files.size(), kShownNames); ++i)
    names += (i == 0 ? "" : ", ") + files[i].path;
  if (files.size() > kShownNames) names += fmt::format(" and {} more", files.size() - kShownNames);
  return names;
}

// Without a tree: what a snapshot's links say. Their names are hashes, their targets have sizes.
std::vector<FileEntry> FilesOfSnapshot(const RepositoryCache& cache, const std::string& commit) {
  std::vector<FileEntry> files;
  for (const SnapshotLink& link : SnapshotLinks(cache)) {
    if (link.commit != commit) continue;
    std::error_code error;
    const auto size = std::filesystem::file_size(cache.blobs() / link.hash, error);
    if (!error) files.push_back({.path = link.path, .size = size, .hash = {link.hash}});
  }
  std::ranges::sort(files, {}, &FileEntry::path);
  return files;
}

// One part of a GGUF stands for all, as elsewhere: org/name:m-00001-of-00003.gguf.
void AddOtherParts(const Listing& listing, std::vector<FileEntry>& wanted) {
  std::set<std::string> series, there;
  for (const FileEntry& file : wanted) {
    there.insert(file.path);
    if (!file.path.ends_with(".gguf")) continue;
    if (const auto part = ParsePartName(file.path)) series.insert(part->Series());
  }
  for (const FileEntry& file : listing.files) {
    const auto part = ParsePartName(file.path);
    if (part && series.contains(part->Series()) && !there.contains(file.path)) wanted.push_back(file);
  }
  std::ranges::sort(wanted, {}, &FileEntry::path);
}

}  // namespace

Result<InstallTarget> ResolveTarget(const std::string& model, const InstallOptions& options) {
  InstallTarget target;
  target.entry = FindInCatalog(model);
  if (target.entry != nullptr) {
    target.reference = {.repository = target.entry->repository, .revision = target.entry->revision};
    if (target.reference.revision.empty()) target.reference.revision = "main";
    target.name = target.entry->name;
  } else {
    GPTOSS_TRY(target.reference, ParseModelReference(model));
    target.name = target.reference.repository;
    if (!target.reference.pattern.empty()) {
      target.name += ":" + target.reference.pattern;
    } else if ((target.entry = FindInCatalog(target.reference.repository)) != nullptr) {
      target.name = target.entry->name;
    }
  }
  if (!options.revision.empty()) {
    if (!ValidatePath(options.revision))
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is no revision: say a branch, a tag or a commit", options.revision));
    target.reference.revision = options.revision;
  }
  target.include = options.include;
  target.exclude = options.exclude;
  if (target.include.empty() && !target.reference.pattern.empty())
    target.include = {target.reference.pattern};
  target.chosen_by_user = !target.include.empty() || !target.exclude.empty();
  if (!target.chosen_by_user && target.entry != nullptr) {
    target.include = target.entry->include;
    target.exclude = target.entry->exclude;
  }
  return target;
}

Result<std::vector<FileEntry>> WantedFiles(const InstallTarget& target, const Listing& listing) {
  auto wanted = SelectFiles(listing.files, target.include, target.exclude);
  const std::string& pattern = target.reference.pattern;
  if (wanted.empty() && !pattern.empty() && pattern.find_first_of("*?[/") == pattern.npos)
    wanted = SelectFiles(listing.files, {"*" + pattern + "*"}, target.exclude);
  if (!pattern.empty()) AddOtherParts(listing, wanted);
  if (!wanted.empty()) return wanted;
  return Fail(ErrorCode::kNotFound, fmt::format("no file of {} is what was asked for; it has {}",
                                                listing.repository, SomeNames(listing.files)));
}

Result<Listing> InstallerParts::ListOffline(const InstallTarget& target) const {
  const RepositoryCache cache = CacheOf(target.reference.repository);
  const std::string& revision = target.reference.revision;
  const auto commit = IsCommit(revision) ? std::optional(revision) : ReadRef(cache, revision);
  if (!commit) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} is not on this machine, and the network is switched off (HF_HUB_OFFLINE)",
                            ToString(target.reference)));
  }
  if (auto listing = ReadTree(cache, *commit)) return listing;
  Listing listing{
      .repository = cache.repository(), .commit = *commit, .files = FilesOfSnapshot(cache, *commit)};
  if (listing.files.empty()) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("of {} nothing is on this machine, and the network is switched off (HF_HUB_OFFLINE)",
                    ToString(target.reference)));
  }
  return listing;
}

// `whole`: it is that of the whole repository, fresh from the Hub.
Result<Listing> InstallerParts::FindListing(const InstallTarget& target, const CancelToken& cancel,
                                            bool& whole) {
  whole = false;
  if (client_->options().offline) return ListOffline(target);
  const auto ask = [&]() -> Result<Listing> {
    GPTOSS_TRY(const std::string commit,
               client_->ResolveCommit(target.reference.repository, target.reference.revision, cancel));
    return client_->List(target.reference.repository, commit, cancel);
  };
  auto listing = ask();
  whole = listing.has_value();
  if (listing || !IsTransient(listing.error())) return listing;
  // No way to the Hub: what is whole on this disk will do.
  auto local = ListOffline(target);
  if (!local) return listing;
  const auto wanted = WantedFiles(target, *local);
  if (!wanted) return listing;
  const RepositoryCache cache = CacheOf(target.reference.repository);
  const auto is_here = [&](const FileEntry& f) { return FindContent(cache, local->commit, f).has_value(); };
  return std::ranges::all_of(*wanted, is_here) ? local : listing;
}

bool InstallerParts::IsComplete(const InstallPlan& plan) const {
  const auto installed = store_.Find(plan.model);
  // Another choice of files of the same repository is another model.
  if (!installed || installed->model != plan.model || installed->commit != plan.listing.commit ||
      installed->repository != plan.listing.repository)
    return false;
  std::map<std::string, const ManifestFile*> known;
  for (const ManifestFile& file : installed->files) known[file.path] = &file;
  for (const FileEntry& file : plan.listing.files) {
    const auto it = known.find(file.path);
    if (it == known.end() || it->second->hash != file.hash) return false;
  }
  return QuickCheck(*installed).state == Integrity::kVerified;
}

Result<InstallPlan> InstallerParts::Plan(const std::string& model, const InstallOptions& options,
                                         const CancelToken& cancel) {
  GPTOSS_TRY(const InstallTarget target, ResolveTarget(model, options));
  bool whole = false;
  GPTOSS_TRY(Listing listing, FindListing(target, cancel, whole));
  const RepositoryCache cache = CacheOf(target.reference.repository);
  GPTOSS_CHECK_OK(ValidateListing(listing, IgnoresCase(cache.root())));
  InstallPlan plan{.model = target.name, .reference = target.reference};
  GPTOSS_TRY(auto wanted, WantedFiles(target, listing));
  if (!target.chosen_by_user)
    GPTOSS_CHECK_OK(CheckNames(wanted, target.entry != nullptr && target.entry->layout != "embedding"));
  if (whole) plan.all_files = std::move(listing.files);
  listing.files = std::move(wanted);
  plan.listing = std::move(listing);
  if (plan.listing.license.empty() && target.entry != nullptr) plan.listing.license = target.entry->license;
  if (target.entry != nullptr) plan.memory_advice = target.entry->memory_advice;

  std::vector<FileEntry> missing;
  std::vector<BlobJob> missing_jobs;
  for (const FileEntry& file : plan.listing.files) {
    plan.jobs.push_back({.file = file, .blob = cache.blob(file.hash), .lock = cache.lock(file.hash)});
    plan.total_bytes += file.size;
    if (FindContent(cache, plan.listing.commit, file)) {
      plan.present_bytes += file.size;
    } else {
      missing.push_back(file);
      missing_jobs.push_back(plan.jobs.back());
    }
  }
  const std::uint64_t taken = plan.present_bytes + TakenBytes(missing_jobs);
  plan.present_bytes += DurableBytes(missing_jobs);
  if (options.reuse_found && !missing.empty()) plan.reusable = FindLocalFiles(missing, folders_);
  plan.disk_free_bytes = FreeBytes(cache.blobs());
  if (!missing.empty()) {
    plan.disk_needed_bytes =
        plan.total_bytes - std::min(plan.total_bytes, taken) + client_->options().disk_margin_bytes;
  }
  plan.already_complete = missing.empty() && IsComplete(plan);
  return plan;
}

}  // namespace gptoss::hub
