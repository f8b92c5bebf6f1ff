// Content that is on this machine already: is it right, and how does it get to its place in the cache?
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/cache.h"
#include "hub/transfer.h"

namespace gptoss::hub {

// Progress over the whole of an install: what is there counts as done from the start, and the figures of
// FetchBlobs, which speak of the missing files only, are put on top. Safe from any thread.
class InstallProgress {
 public:
  InstallProgress(ProgressObserver observer, std::uint64_t total_bytes, int files);
  // `bytes` of work that is no network: shown with `state` and `file`.
  void Working(const std::string& state, const std::string& file, std::uint64_t bytes);
  // A file is whole: `counted` of its bytes were told to Working().
  void FileDone(std::uint64_t size, std::uint64_t counted);
  // It turned out not to be the one.
  void Discard(std::uint64_t counted);
  ProgressObserver ForTransfer();

 private:
  const ProgressObserver observer_;
  std::mutex mutex_;
  TransferProgress base_;
  std::uint64_t working_ = 0;
  std::chrono::steady_clock::time_point told_;
};

// Hashes files on a few threads. Names of those whose content is not what its hash says (or cannot be read).
struct PresentFile {
  FileEntry file;
  std::filesystem::path content;
};
Result<std::set<std::string>> FindDamaged(const std::vector<PresentFile>& files, InstallProgress& progress,
                                          const CancelToken& cancel);

// Takes the first of `candidates` whose content is that of `file` to its blob, under the blob's lock: cloned,
// linked (`may_link`) or copied, then hashed, then renamed. False: none was right. Errors: kCancelled,
// kResourceExhausted, kPermissionDenied.
Result<bool> PlaceBlob(const RepositoryCache& cache, const FileEntry& file,
                       const std::vector<std::filesystem::path>& candidates, bool may_link,
                       const std::string& state, InstallProgress& progress, const CancelToken& cancel);

}  // namespace gptoss::hub
