// The lock that everybody who fetches a blob takes: flock(2) on .locks/<repository>/<hash>.lock, as Python's
// client does. The file stays; whoever removed it would let two holders in.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"

namespace gptoss::hub {

// Movable; one thread at a time. Released on destruction and when the process ends, however it ends.
class BlobLock {
 public:
  // nullopt: somebody else has it. Makes the folders above where they are missing.
  static Result<std::optional<BlobLock>> Try(const std::filesystem::path& path);
  BlobLock(BlobLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)), effective_(other.effective_) {}
  BlobLock& operator=(BlobLock&& other) noexcept;
  ~BlobLock();
  // False where the file system grants every flock (some network disks): then it excludes nobody.
  bool effective() const { return effective_; }

 private:
  BlobLock(int fd, bool effective) : fd_(fd), effective_(effective) {}
  int fd_ = -1;
  bool effective_ = true;
};

}  // namespace gptoss::hub
