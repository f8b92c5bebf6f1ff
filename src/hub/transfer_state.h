// What the threads of one FetchBlobs share. Private to the transfer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/blob_lock.h"
#include "hub/byte_sum.h"
#include "hub/hub_client.h"
#include "hub/partial.h"
#include "hub/range_set.h"
#include "hub/recent_bytes.h"
#include "hub/request_policy.h"
#include "hub/speed.h"
#include "hub/transfer.h"

namespace gptoss::hub {

struct FileTask;

// The hash follows so far behind the bytes that come, and what was written less than that ago is kept for it.
inline constexpr std::uint64_t kHashBehind = kExtentBytes;
inline constexpr std::size_t kMostRecentBlocks = 12;

// One request on its way: bytes [begin, end) of a file. `end` may move down while it runs, when another
// connection takes over the rest.
struct Flight {
  FileTask* file = nullptr;
  std::uint64_t begin = 0, end = 0;
  std::uint64_t position = 0;  // next byte wanted
  bool whole_body = false;     // the answer is the whole file, whatever was asked
  // Of what came, not written yet: bytes, and how many blocks of them were handed over.
  std::uint64_t buffered = 0;
  int writing = 0;
  Status written_status;  // the first error of writing
  CancelSource stop;
  SteadyTime started{};
};

struct FileTask {
  enum class Phase : std::uint8_t {
    kPending,  // nothing done yet, or the lock is somebody else's (`waiting`)
    kActive,   // locked, partial open
    kDone,
  };
  BlobJob job;
  int copies = 1;  // jobs that want this very blob
  Phase phase = Phase::kPending;
  bool waiting = false;
  std::uint64_t others_bytes = 0;  // what the other process' partial has

  std::optional<BlobLock> lock;
  std::shared_ptr<Partial> partial;
  RangeSet held;                               // bytes written
  std::map<std::uint64_t, Extent> unverified;  // from an earlier process, not read back yet
  std::vector<Flight*> flights;
  bool being_written = false;
  std::uint64_t resumed_bytes = 0;

  // Where it is, and how it went so far.
  std::optional<FileLocation> location;
  bool locating = false;
  bool whole_only = false;  // the server does not do ranges
  bool use_if_range = true;
  bool fresh = false;  // no kept connections: the first copy was wrong
  int failures = 0;    // attempts in a row without a byte
  int refusals = 0, bad_answers = 0;
  SteadyTime not_before{}, last_failure{};
  std::string trouble;  // last failure, for the progress line

  // The hash front: everything before `hashed` is in the hash.
  bool hashing = false;
  std::uint64_t hashed = 0;
  std::unique_ptr<ContentHasher> hasher;
  SteadyTime last_sync{};

  std::uint64_t size() const { return job.file.size; }
};

struct PendingBlock {
  Flight* flight = nullptr;
  BlockPointer block;
};

struct TransferState {
  TransferState(HubClient& hub, RequestPolicy request_policy, std::string repository_name,
                std::string commit_hash)
      : client(hub),
        options(hub.options()),
        policy(std::move(request_policy)),
        repository(std::move(repository_name)),
        commit(std::move(commit_hash)),
        governor(options.max_connections, options.trial_time) {}

  HubClient& client;
  const HubOptions options;
  const RequestPolicy policy;
  const std::string repository, commit;

  std::mutex mutex;              // guards everything below and all tasks and flights
  std::condition_variable wake;  // of connections and of the caller's thread
  std::condition_variable work;  // of the workers, which write and hash
  std::condition_variable room;  // a block was written
  std::deque<PendingBlock> pending;
  std::vector<std::unique_ptr<FileTask>> files;
  std::size_t done_files = 0;
  std::uint64_t network_bytes = 0;
  ConnectionGovernor governor;
  bool stop = false, paused = false;
  bool fast_line = false;  // of late
  Status failure;
  RecentBytes recent{kMostRecentBlocks};  // locks by itself
  std::string notice;                     // said last; shown until it is old news
  SteadyTime noticed_at{};

  void Notice(std::string text) {
    notice = std::move(text);
    noticed_at = std::chrono::steady_clock::now();
  }
  void WakeAll() {
    wake.notify_all();
    work.notify_all();
  }
  bool finished() const { return done_files == files.size(); }
  // The first failure ends everything; what is on the disk stays.
  void FailWith(Error error) {
    if (failure) failure = std::unexpected(std::move(error));
    StopAll();
  }
  void StopAll() {
    stop = true;
    CancelFlights();
    WakeAll();
  }
  void CancelFlights() {
    for (const auto& file : files) {
      for (const Flight* flight : file->flights) flight->stop.Cancel();
    }
  }
};

}  // namespace gptoss::hub
