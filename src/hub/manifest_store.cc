// Where manifests lie and how one is found.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "hub/catalog.h"
#include "hub/manifest.h"

namespace gptoss::hub {
namespace {

// Readable, and never the same for two models, on a disk that ignores the case of letters either.
std::string FileName(std::string_view model) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  std::string name;
  for (const char c : model) {
    const auto byte = static_cast<unsigned char>(c);
    hash = (hash ^ byte) * 0x100000001b3;
    if (name.size() < 100) name += std::isalnum(byte) != 0 || c == '.' || c == '_' ? c : '-';
  }
  return fmt::format("{}-{:016x}.json", name, hash);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return lower;
}

struct Wanted {
  std::string name, revision;  // revision "": any
};

// "gpt-oss-20b@main" -> both parts. Names of the catalog and of repositories have no '@'.
Wanted SplitRevision(std::string_view model) {
  const std::size_t at = model.find('@');
  if (at == std::string_view::npos) return {std::string(model), ""};
  std::string name(model.substr(0, at));
  std::string_view rest = model.substr(at + 1);
  const std::size_t colon = rest.find(':');  // org/name@revision:pattern
  if (colon != std::string_view::npos) name += rest.substr(colon);
  return {std::move(name), std::string(rest.substr(0, colon))};
}

bool HasRevision(const Manifest& manifest, const std::string& revision) {
  return revision.empty() || manifest.revision == revision ||
         (revision.size() >= 7 && manifest.commit.starts_with(revision));
}

// Several patterns of one repository may be installed: the one that was asked for in these words comes first.
const Manifest* Pick(const std::vector<Manifest>& manifests, const Wanted& wanted) {
  const std::string name = Lower(wanted.name);
  const auto find = [&](auto&& matches) -> const Manifest* {
    for (const Manifest& manifest : manifests)
      if (HasRevision(manifest, wanted.revision) && matches(manifest)) return &manifest;
    return nullptr;
  };
  if (const Manifest* exact = find([&](const Manifest& m) { return Lower(m.model) == name; })) return exact;
  if (const CatalogEntry* entry = FindInCatalog(wanted.name)) {
    const auto same = [&](const Manifest& m) { return m.model == entry->name; };
    if (const Manifest* known = find(same)) return known;
  }
  return find([&](const Manifest& m) { return Lower(m.repository) == name; });
}

bool IsFolderOf(const Manifest& manifest, std::string_view path) {
  std::error_code error;
  return !manifest.folder.empty() && std::filesystem::equivalent(manifest.folder, path, error) && !error;
}

}  // namespace

ManifestStore::ManifestStore(const std::filesystem::path& state_folder, std::string_view shelf)
    : folder_(state_folder / shelf) {}

std::vector<Manifest> ManifestStore::List(std::vector<std::string>* problems) const {
  std::vector<Manifest> manifests;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_, error), end; !error && it != end;
       it.increment(error)) {
    const std::filesystem::path& path = it->path();
    if (path.extension() != ".json") continue;
    auto text = ReadFile(path, kMaxManifestBytes);
    auto manifest = text ? ParseManifest(*text) : std::unexpected(text.error());
    if (manifest) {
      manifests.push_back(std::move(*manifest));
    } else if (problems != nullptr) {
      problems->push_back(fmt::format("{}: {}", path.string(), manifest.error().message));
    }
  }
  std::ranges::sort(manifests, {}, &Manifest::model);
  return manifests;
}

Result<Manifest> ManifestStore::Find(std::string_view model) const {
  const CatalogEntry* fallback = FindInCatalog("");
  const Wanted wanted =
      SplitRevision(model.empty() && fallback != nullptr ? std::string_view(fallback->name) : model);
  std::vector<std::string> problems;
  const std::vector<Manifest> manifests = List(&problems);
  if (const Manifest* found = Pick(manifests, wanted)) return *found;
  for (const Manifest& manifest : manifests)
    if (IsFolderOf(manifest, model)) return manifest;
  const std::string prefix = FileName(wanted.name);
  for (const std::string& problem : problems)
    if (problem.find(prefix) != std::string::npos) return Fail(ErrorCode::kFailedPrecondition, problem);
  const std::string name = model.empty() ? wanted.name : std::string(model);
  return Fail(
      ErrorCode::kNotFound,
      fmt::format("{0} is not installed; 'gptoss install {0}' installs it, 'gptoss list' shows what is here",
                  name));
}

Status ManifestStore::Write(const Manifest& manifest) const {
  GPTOSS_CHECK_OK(CreatePrivateFolders(folder_));
  return WriteFileAtomic(folder_ / FileName(manifest.model), ManifestToJson(manifest));
}

Status ManifestStore::Remove(const Manifest& manifest) const {
  std::error_code error;
  std::filesystem::remove(folder_ / FileName(manifest.model), error);
  if (!error) return {};
  return Fail(
      ErrorCode::kPermissionDenied,
      fmt::format("cannot remove {}: {}", (folder_ / FileName(manifest.model)).string(), error.message()));
}

}  // namespace gptoss::hub
