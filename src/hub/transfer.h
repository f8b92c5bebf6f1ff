// Brings the content of files to the disk: in parallel, in parts, resumable, hashed. Knows nothing of
// snapshots: a file goes into a partial beside its blob and, when every byte is durable and the hash is
// right, to the blob's name.
//
// Partial and journal: `<blobs>/<hash>.gptoss-part` (sparse) and `<blobs>/<hash>.gptoss-journal`.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/hub_client.h"
#include "hub/repository.h"

namespace gptoss::hub {

struct BlobJob {
  FileEntry file;
  std::filesystem::path blob;  // final place: …/blobs/<hash>; its folder exists
  std::filesystem::path lock;  // …/.locks/<repo>/<hash>.lock: flock(2) held while the blob is fetched
  bool replace = false;  // a blob of that size is there, but was found damaged: fetch, then take its place
};

// A file that is being fetched or verified now.
struct FileProgress {
  std::string path;
  std::uint64_t size = 0, done_bytes = 0;
  int connections = 0;  // 0: all its bytes are here and are being verified
};

// Monotonic per run; `verified` counts bytes whose hash was checked or that were there before.
struct TransferProgress {
  std::uint64_t total_bytes = 0, done_bytes = 0, resumed_bytes = 0;
  double bytes_per_second = 0;  // over the last seconds
  double eta_seconds = -1;      // -1: not known yet
  int files_total = 0, files_done = 0, connections = 0;
  std::string state;   // "downloading", "verifying", "waiting", "paused", "waiting for another process"
  std::string notice;  // what is being waited for, if anything
  std::string file;    // one that is being worked on
  std::vector<FileProgress> in_flight;  // the first few that are
};
using ProgressObserver =
    std::function<void(const TransferProgress&)>;  // any thread, at most ~10 times a second

// Pause() lets running parts reach a durable point and closes connections; Resume() goes on. Safe from any
// thread.
class PauseControl {
 public:
  void Pause() { paused_.store(true); }
  void Resume() { paused_.store(false); }
  bool paused() const { return paused_.load(); }

 private:
  std::atomic<bool> paused_{false};
};

// Fetches all blobs that are not there yet (looked up again after each lock was acquired). Large files go in
// ranged parts; the number of connections adapts to what the line gives. Every answer is checked against what
// was asked before a byte is written. A wrong hash: the file is fetched once more over a fresh connection,
// the message says which chunks differed; then kDataLoss. On error or cancel the partials stay, and what was
// acknowledged as durable is never fetched again. A blob that another process holds: waits, showing that
// process' progress (size of its partial).
Status FetchBlobs(HubClient& client, const std::string& repository, const std::string& commit,
                  std::span<const BlobJob> jobs, const ProgressObserver& observer, const PauseControl& pause,
                  const CancelToken& cancel);

// Bytes of these jobs that are durable in partials or complete blobs.
std::uint64_t DurableBytes(std::span<const BlobJob> jobs);
// Bytes of the disk that these jobs have already: complete blobs, and what partials hold or have set aside.
// Never less than DurableBytes.
std::uint64_t TakenBytes(std::span<const BlobJob> jobs);
// Removes partials and journals of these jobs (install cancelled with --drop).
Status DropPartials(std::span<const BlobJob> jobs);

// Of jobs whose blobs are there: what a process left that was killed between giving a blob its place and
// clearing up. Somebody else's is let be.
void SweepLeftovers(std::span<const BlobJob> jobs);

// Hash of a file on disk, streamed. kCancelled, kNotFound, kDataLoss never: the caller compares.
Result<ContentHash> HashFile(const std::filesystem::path& path, bool sha256, const CancelToken& cancel,
                             const std::function<void(std::uint64_t)>& on_bytes = {});

}  // namespace gptoss::hub
