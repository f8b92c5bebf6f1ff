// Folders, refs and trees of a repository in the shared cache.
#include "hub/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "base/file.h"
#include "base/json.h"
#include "hub/disk.h"
#include "hub/json_fields.h"

namespace gptoss::hub {
namespace {

constexpr std::uint64_t kMaxTreeBytes = 128ULL << 20;
constexpr int kTreeFormat = 1;
// https://bford.info/cachedir/: backups leave folders with this file out.
constexpr std::string_view kCacheTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag created by gptoss for the cache of models that it shares with\n"
    "# huggingface_hub. For information about cache directory tags see https://bford.info/cachedir/\n";

std::string FolderName(const std::string& repository) {
  std::string name = "models--";
  for (const char c : repository) name += c == '/' ? "--" : std::string(1, c);
  return name;
}

// A file that is made and removed: what would fail after gigabytes fails now.
Status ProveWritable(const std::filesystem::path& folder) {
  const std::filesystem::path probe = folder / TemporaryName("probe");
  const int fd = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return FailSystem("write in", folder, errno);
  ::close(fd);
  ::unlink(probe.c_str());
  return {};
}

Json EntryToJson(const FileEntry& file) {
  Json entry;
  entry["size"] = file.size;
  entry["blob_id"] = file.git_oid.empty() ? file.hash.hex : file.git_oid;
  if (file.hash.is_sha256()) {
    entry["lfs_sha256"] = file.hash.hex;
    entry["lfs_size"] = file.size;
  }
  // Readers drop the whole tree for one value that is not 64 hex digits.
  if (file.xet_hash.size() == 64 && ParseContentHash(file.xet_hash)) entry["xet_hash"] = file.xet_hash;
  return entry;
}

Result<FileEntry> EntryFromJson(const std::string& path, const Json& entry) {
  GPTOSS_CHECK_OK(ValidatePath(path));
  FileEntry file{.path = path};
  if (!entry.is_object() || !entry.contains("size") || !entry["size"].is_number_unsigned())
    return Fail(ErrorCode::kDataLoss, fmt::format("'{}' has no size", path));
  file.size = entry["size"].get<std::uint64_t>();
  file.git_oid = TextOf(entry, "blob_id");
  file.xet_hash = TextOf(entry, "xet_hash");
  const std::string sha256 = TextOf(entry, "lfs_sha256");
  GPTOSS_TRY(file.hash, ParseContentHash(sha256.empty() ? file.git_oid : sha256));
  if (!sha256.empty()) {
    const auto it = entry.find("lfs_size");
    if (it != entry.end() && it->is_number_unsigned()) file.size = it->get<std::uint64_t>();
  }
  return file;
}

}  // namespace

RepositoryCache::RepositoryCache(std::filesystem::path root, const std::string& repository)
    : root_(std::move(root)), repository_(repository), folder_name_(FolderName(repository)) {}

Status PrepareRepository(const RepositoryCache& cache) {
  const std::filesystem::path name = cache.folder_name();
  for (const auto& folder : {name / "blobs", name / "refs", name / "snapshots", name / "trees",
                             std::filesystem::path(".locks") / name}) {
    GPTOSS_CHECK_OK(MakeFolders(cache.root(), folder));
  }
  for (const auto& folder : {cache.blobs(), cache.snapshots(), cache.locks()})
    GPTOSS_CHECK_OK(ProveWritable(folder));
  const std::filesystem::path tag = cache.root() / "CACHEDIR.TAG";
  if (std::error_code error; !std::filesystem::exists(tag, error))
    return WriteThrough(cache.folder() / TemporaryName("tag"), tag, kCacheTag);
  return {};
}

bool IgnoresCase(const std::filesystem::path& folder) {
#if defined(_PC_CASE_SENSITIVE)
  if (const long sensitive = ::pathconf(folder.c_str(), _PC_CASE_SENSITIVE); sensitive >= 0)
    return sensitive == 0;
#endif
  // Is anything that is in the folder (or else the folder itself) found under a name in other letters?
  std::filesystem::path place = folder;
  std::error_code error;
  while (!std::filesystem::exists(place, error) && place.has_parent_path() && place.parent_path() != place)
    place = place.parent_path();
  std::vector<std::filesystem::path> names;
  for (std::filesystem::directory_iterator it(place, error), end; !error && it != end && names.size() < 16;
       it.increment(error)) {
    names.push_back(it->path());
  }
  names.push_back(place);
  for (const auto& path : names) {
    std::string other = path.filename().string();
    std::ranges::transform(other, other.begin(), [](unsigned char c) {
      return static_cast<char>(std::isupper(c) != 0 ? std::tolower(c) : std::toupper(c));
    });
    struct stat here{}, there{};
    if (other == path.filename() || ::lstat(path.c_str(), &here) != 0) continue;
    return ::lstat((path.parent_path() / other).c_str(), &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
  }
  return false;
}

std::string TreeToJson(const Listing& listing) {
  std::vector<const FileEntry*> files;
  for (const FileEntry& file : listing.files) files.push_back(&file);
  std::ranges::sort(files, {}, [](const FileEntry* file) -> const std::string& { return file->path; });
  Json tree;
  tree["format_version"] = kTreeFormat;
  tree["files"] = Json::object();
  Json& entries = tree["files"];
  // ordered_json looks a new key up in all before it: emplace_back keeps a long listing linear.
  auto& object = entries.get_ref<Json::object_t&>();
  for (const FileEntry* file : files) object.emplace_back(file->path, EntryToJson(*file));
  return tree.dump(1, ' ', true, Json::error_handler_t::replace);
}

Result<std::vector<FileEntry>> ParseTree(std::string_view json) {
  const auto broken = [](std::string why) {
    return Fail(ErrorCode::kDataLoss, fmt::format("the stored listing is damaged: {}", why));
  };
  auto tree = ParseJson(json);
  if (!tree) return broken(tree.error().message);
  if (!tree->is_object() || !tree->contains("format_version") || (*tree)["format_version"] != kTreeFormat)
    return broken("its format is not known");
  if (!tree->contains("files") || !(*tree)["files"].is_object()) return broken("it has no files");
  std::vector<FileEntry> files;
  for (const auto& [path, entry] : (*tree)["files"].items()) {
    auto file = EntryFromJson(path, entry);
    if (!file) return broken(file.error().message);
    files.push_back(std::move(*file));
  }
  std::ranges::sort(files, {}, &FileEntry::path);
  // The same rules as for a listing from the network; the commit is the caller's.
  const Listing listing{.repository = "the stored listing", .commit = std::string(40, '0'), .files = files};
  GPTOSS_CHECK_OK(ValidateListing(listing, false));
  return files;
}

Result<Listing> ReadTree(const RepositoryCache& cache, const std::string& commit) {
  if (!IsCommit(commit)) return Fail(ErrorCode::kInvalidArgument, "a commit has 40 hex digits");
  GPTOSS_TRY(const std::string json, ReadFile(cache.tree(commit), kMaxTreeBytes));
  auto files = ParseTree(json);
  if (!files) return std::unexpected(std::move(files).error().Within(cache.tree(commit).string()));
  return Listing{.repository = cache.repository(), .commit = commit, .files = std::move(*files)};
}

Status WriteTree(const RepositoryCache& cache, const Listing& listing) {
  if (!IsCommit(listing.commit)) return Fail(ErrorCode::kInvalidArgument, "a commit has 40 hex digits");
  const std::string json = TreeToJson(listing);
  const std::filesystem::path target = cache.tree(listing.commit);
  if (const auto old = ReadFile(target, kMaxTreeBytes); old && *old == json) return {};
  GPTOSS_CHECK_OK(MakeFolders(cache.root(), std::filesystem::path(cache.folder_name()) / "trees"));
  return WriteThrough(cache.folder() / TemporaryName("tree"), target, json);
}

Status PublishRef(const RepositoryCache& cache, const std::string& revision, const std::string& commit) {
  if (!IsCommit(commit)) return Fail(ErrorCode::kInvalidArgument, "a commit has 40 hex digits");
  if (revision == commit) return {};
  if (!ValidatePath(revision)) return Fail(ErrorCode::kInvalidArgument, "'" + revision + "' is no revision");
  if (ReadRef(cache, revision) == commit) return {};
  const auto folder = (std::filesystem::path(cache.folder_name()) / "refs" / revision).parent_path();
  GPTOSS_CHECK_OK(MakeFolders(cache.root(), folder));
  // The temporary is not in refs/: left behind by a crash, it would be taken for a revision there.
  return WriteThrough(cache.folder() / TemporaryName("ref"), cache.ref(revision), commit);
}

std::optional<std::string> ReadRef(const RepositoryCache& cache, const std::string& revision) {
  if (!ValidatePath(revision)) return std::nullopt;
  auto text = ReadFile(cache.ref(revision), 4096);
  if (!text || !IsCommit(*text)) return std::nullopt;
  return std::move(*text);
}

}  // namespace gptoss::hub
