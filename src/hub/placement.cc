#include "hub/placement.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "base/file_lock.h"
#include "hub/cache_links.h"
#include "hub/disk.h"

namespace gptoss::hub {
namespace {

constexpr std::string_view kCopyMark = ".gptoss-copy-";
constexpr unsigned kMaxPlacers = 4;
constexpr std::chrono::milliseconds kTellEvery{100};

// What a process that died in the middle left. Under the blob's lock.
void RemoveStaleCopies(const RepositoryCache& cache, const FileEntry& file) {
  const std::string stem = file.hash.hex + std::string(kCopyMark);
  std::error_code error;
  for (std::filesystem::directory_iterator it(cache.blobs(), error), end; !error && it != end;
       it.increment(error))
    if (it->path().filename().string().starts_with(stem)) ::unlink(it->path().c_str());
}

bool IsFatal(const Error& error) {
  return error.code == ErrorCode::kCancelled || error.code == ErrorCode::kResourceExhausted;
}

}  // namespace

InstallProgress::InstallProgress(ProgressObserver observer, std::uint64_t total_bytes, int files)
    : observer_(std::move(observer)) {
  base_.total_bytes = total_bytes;
  base_.files_total = files;
}

void InstallProgress::Working(const std::string& state, const std::string& file, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  working_ += bytes;
  const auto now = std::chrono::steady_clock::now();
  if (!observer_ || now - told_ < kTellEvery) return;
  told_ = now;
  TransferProgress progress = base_;
  progress.done_bytes = std::min(base_.total_bytes, base_.done_bytes + working_);
  progress.state = state;
  progress.file = file;
  observer_(progress);
}

void InstallProgress::FileDone(std::uint64_t size, std::uint64_t counted) {
  const std::lock_guard lock(mutex_);
  working_ -= std::min(working_, counted);
  base_.done_bytes += size;
  base_.resumed_bytes += size;
  ++base_.files_done;
}

void InstallProgress::Discard(std::uint64_t counted) {
  const std::lock_guard lock(mutex_);
  working_ -= std::min(working_, counted);
}

ProgressObserver InstallProgress::ForTransfer() {
  if (!observer_) return {};
  const std::lock_guard lock(mutex_);
  return [base = base_, observer = observer_](const TransferProgress& transfer) {
    TransferProgress progress = transfer;
    progress.total_bytes = base.total_bytes;
    progress.done_bytes = std::min(base.total_bytes, base.done_bytes + transfer.done_bytes);
    progress.resumed_bytes += base.resumed_bytes;
    progress.files_total = base.files_total;
    progress.files_done += base.files_done;
    observer(progress);
  };
}

Result<std::set<std::string>> FindDamaged(const std::vector<PresentFile>& files, InstallProgress& progress,
                                          const CancelToken& cancel) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::set<std::string> damaged;
  const auto work = [&] {
    for (std::size_t i = next++; i < files.size() && !cancel.cancelled(); i = next++) {
      const auto& [file, content] = files[i];
      std::uint64_t counted = 0;
      const auto hash = HashFile(content, file.hash.is_sha256(), cancel, [&](std::uint64_t bytes) {
        counted += bytes;
        progress.Working("verifying", file.path, bytes);
      });
      const bool right = hash && *hash == file.hash;
      if (right) {
        progress.FileDone(file.size, counted);
        continue;
      }
      progress.Discard(counted);
      const std::lock_guard lock(mutex);
      damaged.insert(file.path);
    }
  };
  const unsigned threads =
      std::min<unsigned>({std::max(1U, std::thread::hardware_concurrency()), kMaxPlacers,
                          static_cast<unsigned>(std::max<std::size_t>(files.size(), 1))});
  {
    std::vector<std::jthread> others;
    try {
      for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
    } catch (const std::system_error&) {
      // Fewer threads do it as well.
    }
    work();
  }
  if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled; what is here was left as it is");
  return damaged;
}

Result<bool> PlaceBlob(const RepositoryCache& cache, const FileEntry& file,
                       const std::vector<std::filesystem::path>& candidates, bool may_link,
                       const std::string& state, InstallProgress& progress, const CancelToken& cancel) {
  GPTOSS_TRY(const FileLock lock,
             FileLock::Acquire(cache.lock(file.hash), FileLock::Kind::kExclusive, cancel));
  RemoveStaleCopies(cache, file);
  for (const std::filesystem::path& candidate : candidates) {
    std::uint64_t counted = 0;
    const auto tell = [&](std::uint64_t bytes) {
      counted += bytes;
      progress.Working(state, file.path, 0);
    };
    // The name is this process' own: without working locks two never write into one file.
    const std::filesystem::path copy =
        cache.blobs() / fmt::format("{}{}{}", file.hash.hex, kCopyMark, TemporaryName("x").substr(10));
    auto shared = ShareFile(candidate, copy, may_link, cancel, tell);
    if (!shared && IsFatal(shared.error())) return std::unexpected(std::move(shared).error());
    if (!shared) continue;
    counted = 0;
    const auto hash = HashFile(copy, file.hash.is_sha256(), cancel, [&](std::uint64_t bytes) {
      counted += bytes;
      progress.Working(state, file.path, bytes);
    });
    if (hash && *hash == file.hash) {
      if (::rename(copy.c_str(), cache.blob(file.hash).c_str()) != 0) {
        const int error = errno;
        ::unlink(copy.c_str());
        return FailSystem("rename to", cache.blob(file.hash), error);
      }
      SyncFolder(cache.blobs());
      progress.FileDone(file.size, counted);
      return true;
    }
    ::unlink(copy.c_str());
    progress.Discard(counted);
    if (!hash && IsFatal(hash.error())) return std::unexpected(hash.error());
  }
  return false;
}

}  // namespace gptoss::hub
