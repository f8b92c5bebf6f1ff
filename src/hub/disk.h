// The few things that the cache asks of a file system. Errors name the path and what to do.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/error.h"

namespace gptoss::hub {

// What errno says, as an error for a person: "cannot WHAT PATH: why".
std::unexpected<Error> FailSystem(std::string_view what, const std::filesystem::path& path, int error);

// Bytes that this user may still write below `folder` (or its nearest folder that exists). 0 if unknown.
std::uint64_t FreeBytes(const std::filesystem::path& folder);

// Makes root/relative, each folder in turn with the umask's mode; a link below the root is refused
// (kPermissionDenied): whoever placed it would direct our writes elsewhere. The root may be one.
Status MakeFolders(const std::filesystem::path& root, const std::filesystem::path& relative);

// A name that nobody else uses, for a temporary file: ".gptoss-<what>-<pid>-<random>".
std::string TemporaryName(std::string_view what);
// Writes `temporary` (a new name), syncs, renames to `target`; mode by the umask. Both on one file system.
Status WriteThrough(const std::filesystem::path& temporary, const std::filesystem::path& target,
                    std::string_view bytes);
// A rename is durable only once the folder is; errors are ignored: some file systems cannot.
void SyncFolder(const std::filesystem::path& folder);

// One content under a second name, without a second copy where the system can: a clone (copy on write), a
// hard link if `may_link`, else a copy with `on_bytes` told. `to` must not exist; on an error it does not.
// `from` is opened without following a link. The copy is synced and has the umask's mode.
enum class Shared : std::uint8_t { kCloned, kLinked, kCopied };
Result<Shared> ShareFile(const std::filesystem::path& from, const std::filesystem::path& to, bool may_link,
                         const CancelToken& cancel = {},
                         const std::function<void(std::uint64_t)>& on_bytes = {});
// `size` bytes of `from` from `offset` on, as a new synced file `to`.
Status CopyRange(const std::filesystem::path& from, std::uint64_t offset, std::uint64_t size,
                 const std::filesystem::path& to, const CancelToken& cancel,
                 const std::function<void(std::uint64_t)>& on_bytes = {});

// Modification time in nanoseconds, 0 if there is no such file.
std::int64_t ModificationTime(const std::filesystem::path& path);
std::int64_t ModificationTime(const struct stat& info);
// "12,345,678"
std::string WithCommas(std::uint64_t n);

}  // namespace gptoss::hub
