// Installing from a folder, without a network.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "base/file.h"
#include "hub/completeness.h"
#include "hub/disk.h"
#include "hub/installer_parts.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint64_t> RegularSize(const fs::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

// Files below `folder`, relative, without what is hidden; links to files count as files.
Result<std::vector<FileEntry>> FilesOf(const fs::path& folder) {
  std::vector<FileEntry> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with('.')) {
      it.disable_recursion_pending();
      continue;
    }
    const auto size = RegularSize(it->path());
    if (size)
      files.push_back({.path = it->path().lexically_relative(folder).generic_string(), .size = *size});
  }
  if (error) return FailSystem("read the folder", folder, error.value());
  std::ranges::sort(files, {}, &FileEntry::path);
  return files;
}

// What `hf download --local-dir` left: .cache/huggingface/download/<path>.metadata has commit and hash.
std::optional<Manifest> FromMetadata(const fs::path& folder, const std::vector<FileEntry>& files) {
  Manifest manifest;
  for (const FileEntry& file : files) {
    const auto text = ReadFile(folder / ".cache/huggingface/download" / (file.path + ".metadata"), 4096);
    if (!text) continue;
    const auto first = text->find('\n');
    const auto second = first == text->npos ? first : text->find('\n', first + 1);
    if (second == text->npos) return std::nullopt;
    const std::string commit = text->substr(0, first);
    const auto hash = ParseContentHash(text->substr(first + 1, second - first - 1));
    if (!IsCommit(commit) || !hash || (!manifest.commit.empty() && manifest.commit != commit))
      return std::nullopt;
    manifest.commit = commit;
    manifest.files.push_back({.path = file.path, .size = file.size, .hash = *hash});
  }
  if (manifest.files.empty()) return std::nullopt;
  return manifest;
}

std::string FolderNameFor(const std::string& model) {
  std::string name;
  for (const char c : model)
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-' ? c : '-';
  return name.starts_with('.') ? "_" + name : name;
}

}  // namespace

Result<Manifest> InstallerParts::ImportListed(const fs::path& folder, const Manifest& source,
                                              const InstallOptions& options, const ProgressObserver& observer,
                                              const CancelToken& cancel) {
  if (!ParseModelReference(source.repository))
    return Fail(ErrorCode::kDataLoss, fmt::format("{} says no repository that could be", folder.string()));
  Listing listing{.repository = source.repository, .commit = source.commit};
  std::uint64_t total = 0;
  for (const ManifestFile& file : source.files) {
    listing.files.push_back({.path = file.path, .size = file.size, .hash = file.hash});
    total += file.size;
  }
  const RepositoryCache cache = CacheOf(source.repository);
  GPTOSS_CHECK_OK(ValidateListing(listing, IgnoresCase(cache.root())));
  InstallProgress progress(observer, total, static_cast<int>(listing.files.size()));
  const std::vector<std::pair<std::string, FoundFile>> none;
  const PauseControl no_pause;
  const Content content{.cache = cache,
                        .commit = listing.commit,
                        .files = listing.files,
                        .reusable = none,
                        .listing = nullptr,
                        .observer = observer,
                        .pause = no_pause,
                        .cancel = cancel};
  GPTOSS_TRY(const Missing missing, LookForContent(content, progress));
  for (const BlobJob& job : missing.jobs) {
    const auto size = RegularSize(folder / job.file.path);
    if (!size || *size != job.file.size) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{} is not whole: {} {}; copy it again", folder.string(), job.file.path,
                              size ? fmt::format("has {} bytes instead of {}", WithCommas(*size),
                                                 WithCommas(job.file.size))
                                   : std::string("is missing")));
    }
  }
  if (!missing.jobs.empty()) GPTOSS_CHECK_OK(Prepare(content, missing));
  for (const BlobJob& job : missing.jobs) {
    std::error_code error;
    const fs::path real = fs::canonical(folder / job.file.path, error);
    GPTOSS_TRY(const bool placed,
               PlaceBlob(cache, job.file, {real}, options.source_is_ours, "copying", progress, cancel));
    if (!placed) {
      return Fail(
          ErrorCode::kDataLoss,
          fmt::format("{} in {} is damaged: its content is not what its hash says; copy it again from where "
                      "it came",
                      job.file.path, folder.string()));
    }
  }
  GPTOSS_CHECK_OK(PublishSnapshot(cache, listing.commit, listing.files, client_->options().use_symlinks));
  const std::string revision = source.revision.empty() ? "main" : source.revision;
  // A branch that already points to another commit was asked of the Hub itself: that is newer knowledge.
  if (!ReadRef(cache, revision)) GPTOSS_CHECK_OK(PublishRef(cache, revision, listing.commit));
  Manifest manifest = source;
  manifest.revision = revision;
  manifest.folder = cache.snapshot(listing.commit);
  manifest.acknowledgement.reset();
  return Finish(std::move(manifest), options);
}

Result<Manifest> InstallerParts::ImportPlain(const fs::path& folder, const std::string& model,
                                             const InstallOptions& options, const ProgressObserver& observer,
                                             const CancelToken& cancel) const {
  GPTOSS_TRY(std::vector<FileEntry> files, FilesOf(folder));
  files = SelectFiles(files, options.include, options.exclude);
  std::uint64_t total = 0;
  for (const FileEntry& file : files) {
    GPTOSS_CHECK_OK(ValidatePath(file.path));
    total += file.size;
  }
  if (auto names = CheckNames(files, true); !names) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} holds no whole model: a model has *.gguf, or config.json and *.safetensors",
                            folder.string()));
  }
  const fs::path target = state_ / "imported" / FolderNameFor(model);
  if (const std::uint64_t free = FreeBytes(target); free < total) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{} bytes are needed and {} are free at {}", WithCommas(total), WithCommas(free),
                            target.string()));
  }
  GPTOSS_CHECK_OK(CreatePrivateFolders(state_));
  InstallProgress progress(observer, total, static_cast<int>(files.size()));
  Manifest manifest{.model = model, .folder = target};
  for (const FileEntry& file : files) {
    const fs::path place = target / file.path;
    GPTOSS_CHECK_OK(MakeFolders(state_, place.parent_path().lexically_relative(state_)));
    std::error_code error;
    const fs::path real = fs::canonical(folder / file.path, error);
    const fs::path copy = target / TemporaryName("copy");
    GPTOSS_TRY(const Shared shared, ShareFile(real, copy, options.source_is_ours, cancel));
    (void)shared;
    std::uint64_t counted = 0;
    auto hash = HashFile(copy, true, cancel, [&](std::uint64_t bytes) {
      counted += bytes;
      progress.Working("copying", file.path, bytes);
    });
    fs::rename(copy, place, error);
    if (error || !hash) fs::remove(copy, error);
    if (!hash) return std::unexpected(std::move(hash).error());
    if (error) return FailSystem("rename to", place, error.value());
    progress.FileDone(file.size, counted);
    manifest.files.push_back({.path = file.path, .size = file.size, .hash = *hash});
  }
  return Finish(std::move(manifest), options);
}

Result<Manifest> InstallerParts::InstallFrom(const fs::path& given, const std::string& model,
                                             const InstallOptions& options, const ProgressObserver& observer,
                                             const CancelToken& cancel) {
  std::error_code error;
  const fs::path folder = fs::canonical(given, error);
  if (error || !fs::is_directory(folder, error)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{} is no folder that can be read", given.string()));
  }
  std::optional<Manifest> source;
  if (const auto text = ReadFile(folder / kExportedManifest, kMaxManifestBytes)) {
    auto parsed = ParseManifest(*text);
    if (!parsed)
      return std::unexpected(std::move(parsed).error().Within((folder / kExportedManifest).string()));
    source = std::move(*parsed);
    if (source->commit.empty()) source.reset();
  }
  if (!source) {
    // Which repository it is, only the name can tell.
    const auto target = ResolveTarget(model, options);
    GPTOSS_TRY(const std::vector<FileEntry> files, FilesOf(folder));
    if (target) source = FromMetadata(folder, files);
    if (source) {
      source->model = target->name;
      source->repository = target->reference.repository;
      source->revision = source->commit;
      if (target->entry != nullptr) source->license = target->entry->license;
    }
  }
  if (!source)
    return ImportPlain(folder, model.empty() ? folder.filename().string() : model, options, observer, cancel);
  if (!model.empty()) {
    if (const CatalogEntry* entry = FindInCatalog(model);
        entry != nullptr && entry->repository != source->repository) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} holds {}, not {}", folder.string(), source->repository, entry->repository));
    }
  }
  return ImportListed(folder, *source, options, observer, cancel);
}

}  // namespace gptoss::hub
