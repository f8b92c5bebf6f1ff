// Whole files in, whole files out, files mapped. All paths are the system's own bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss {

// What `errno` means for who called: missing, forbidden, no room, there already, else kUnavailable.
ErrorCode ErrorCodeOf(int system_error);
// "cannot DOING PATH: the system's words".
std::unexpected<Error> FailErrno(std::string_view doing, const std::filesystem::path& path, int system_error);

// Reads a regular file of at most `max_bytes` (kOutOfRange beyond).
Result<std::string> ReadFile(const std::filesystem::path& path, std::uint64_t max_bytes = 1ULL << 30);
// Writes to a temporary name beside `path`, syncs, renames: the old file or the new one, never half of one.
// A file that is there keeps its permissions; a new one gets 0644.
Status WriteFileAtomic(const std::filesystem::path& path, std::string_view bytes);
// Makes the folder and those above it that are missing, each for its owner only (0700). What is there already
// stays as it is.
Status CreatePrivateFolders(const std::filesystem::path& folder);

// A regular file mapped read-only. Immutable, shared between threads; views into bytes() live as long as it.
// A file that is truncated by somebody else while mapped raises SIGBUS: the system offers no other way.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> Open(const std::filesystem::path& path);
  // Bytes that somebody else owns for the program's whole life (a file linked into the program).
  static std::shared_ptr<const MappedFile> FromStatic(std::span<const std::byte> bytes, std::string name);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  // For messages: the path, or the name given to FromStatic.
  const std::string& name() const { return name_; }

 private:
  MappedFile(std::span<const std::byte> bytes, std::string name, bool mapped)
      : bytes_(bytes), name_(std::move(name)), mapped_(mapped) {}
  std::span<const std::byte> bytes_;
  std::string name_;
  bool mapped_;
};

// kDataLoss, "NAME: WHAT".
std::unexpected<Error> DamagedFile(const MappedFile& file, std::string_view what);

}  // namespace gptoss
