// A lock between processes, and between threads of one process: flock(2) on a file that exists for nothing
// else.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"

namespace gptoss {

// Held until destroyed or the process ends, however it ends. Two locks on one path exclude each other even
// inside one process. The file is created where it is missing (not its folders) and never removed: whoever
// removed it would let two holders in. Advisory: it binds those who ask for it. Movable; one thread at a
// time.
class FileLock {
 public:
  enum class Kind : std::uint8_t {
    kExclusive,
    kShared,  // any number of these, none beside an exclusive one
  };

  // nullopt: somebody else holds it. Errors: the file cannot be opened or created, or its file system has no
  // locks.
  static Result<std::optional<FileLock>> Try(const std::filesystem::path& path, Kind kind = Kind::kExclusive);

  // Waits. kCancelled by the token; kDeadlineExceeded after `patience` (nullopt: for ever).
  static Result<FileLock> Acquire(const std::filesystem::path& path, Kind kind = Kind::kExclusive,
                                  const CancelToken& cancel = {},
                                  std::optional<std::chrono::milliseconds> patience = std::nullopt);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock() { Release(); }

  // Before the end of its life; a second time is harmless.
  void Release();
  bool held() const { return fd_ >= 0; }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace gptoss
