#include "hub/local_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "hub/byte_progress.h"
#include "hub/part_name.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

bool IsHidden(const fs::path& path) { return path.filename().string().starts_with("."); }

Result<std::vector<ManifestFile>> WeighedFilesBelow(const fs::path& folder) {
  std::vector<ManifestFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (IsHidden(it->path())) {
      if (it->is_directory(error)) it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file(error)) continue;
    files.push_back({.path = it->path().lexically_relative(folder).generic_string(),
                     .size = static_cast<std::uint64_t>(it->file_size(error))});
    if (error) break;
  }
  if (error)
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("cannot read {}: {}", folder.string(), error.message()));
  std::ranges::sort(files, {}, &ManifestFile::path);
  return files;
}

// A file, or all the parts that it is one of.
Result<std::vector<ManifestFile>> OneModel(const fs::path& path) {
  std::vector<std::string> names = {path.filename().string()};
  if (const auto part = ParsePartName(names.front()); part && part->number >= 1 && part->number <= part->of) {
    names.clear();
    for (int number = 1; number <= part->of; ++number) names.push_back(part->PathOf(number));
  }
  std::vector<ManifestFile> files;
  for (const std::string& name : names) {
    std::error_code error;
    const auto size = fs::file_size(path.parent_path() / name, error);
    if (error) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("cannot use {}: {}{}", (path.parent_path() / name).string(), error.message(),
                              names.size() > 1 ? "; the model consists of all its parts" : ""));
    }
    files.push_back({.path = name, .size = size});
  }
  return files;
}

// "m-00001-of-00003.gguf" -> "m.gguf"
std::string ModelOfParts(const fs::path& path) {
  const auto part = ParsePartName(path.filename().string());
  if (!part) return path.filename().string();
  return part->before.substr(0, part->before.size() - 1) + part->after;
}

}  // namespace

Result<Manifest> ManifestOfLocalModel(const fs::path& path, std::string_view program_version,
                                      const CancelToken& cancel, const ProgressObserver& observer) {
  Manifest manifest;
  manifest.model = path.filename().string();
  std::error_code error;
  if (fs::is_directory(path, error)) {
    manifest.folder = path;
    GPTOSS_TRY(manifest.files, WeighedFilesBelow(path));
  } else {
    manifest.folder = path.parent_path();
    GPTOSS_TRY(manifest.files, OneModel(path));
    if (manifest.files.size() > 1) manifest.model = ModelOfParts(path);
  }
  const auto is_weights = [](const ManifestFile& file) { return RoleOf(file.path) == "weights"; };
  if (!std::ranges::any_of(manifest.files, is_weights))
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is no model: a folder with *.safetensors or a .gguf file is one", path.string()));
  ByteProgress progress(TotalBytes(manifest), "verifying", observer);
  for (ManifestFile& file : manifest.files) {
    progress.SetFile(file.path);
    GPTOSS_TRY(file.hash, HashFile(manifest.folder / file.path, true, cancel, progress.counter()));
  }
  GPTOSS_CHECK_OK(StampVerified(manifest, program_version));
  return manifest;
}

}  // namespace gptoss::hub
