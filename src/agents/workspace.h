// The folders of a session, and the files in them: where a path leads, and reading and writing there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gptoss::agents {

// Where a path leads once every symbolic link on its way is followed.
struct ResolvedPath {
  std::filesystem::path path;  // absolute, without links
  bool inside = false;         // in one of the session's folders
  bool exists = false;
};

// Immutable; safe from any thread.
class Workspace {
 public:
  // `folder`: absolute. Folders that are not there are kept as they are written: nothing is inside them yet.
  Workspace(const std::filesystem::path& folder, const std::vector<std::string>& more_folders);

  const std::filesystem::path& folder() const { return roots_.front(); }
  const std::vector<std::filesystem::path>& roots() const { return roots_; }

  // Relative paths begin at the session's folder; "~" is the home folder. kInvalidArgument: an empty path or
  // one with a NUL. A link that leads out of the folders is outside, wherever it stands.
  Result<ResolvedPath> Resolve(std::string_view path) const;
  // As the client writes it: folders that it named by way of a link begin as it named them.
  std::string ForClient(const std::filesystem::path& path) const;
  // For people: relative to the session's folder where it is inside.
  std::string Display(const std::filesystem::path& path) const;

 private:
  bool Inside(const std::filesystem::path& path) const;
  std::vector<std::filesystem::path> roots_, named_;  // without links, and as they were given
};

constexpr std::uint64_t kMaxEditableBytes = 2 << 20;

// A regular file, opened without following a link that took its place meanwhile. kNotFound, kInvalidArgument
// (a folder, a device, no text), kOutOfRange (larger), kPermissionDenied.
Result<std::string> ReadTextFile(const ResolvedPath& file, std::uint64_t max_bytes = kMaxEditableBytes);
// Before a file is written: its folder, made where it is missing, still is where it was looked at.
Status PrepareToWrite(const ResolvedPath& file);
// The whole content, in one step; folders on the way are made. A file keeps its permissions.
Status WriteTextFile(const ResolvedPath& file, std::string_view text);
Status RemoveFile(const ResolvedPath& file);

}  // namespace gptoss::agents
