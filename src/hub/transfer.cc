#include "hub/transfer.h"

#include <dirent.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <system_error>
#include <thread>

#include "hub/block_writer.h"
#include "hub/hash_front.h"
#include "hub/part_download.h"
#include "hub/transfer_progress.h"
#include "hub/transfer_state.h"

namespace gptoss::hub {
namespace {

using Clock = std::chrono::steady_clock;
using Phase = FileTask::Phase;

constexpr std::chrono::milliseconds kTick{20};
constexpr std::chrono::milliseconds kReport{100};
constexpr double kFastLine = 250e6;  // bytes a second
constexpr std::chrono::seconds kSyncEvery{2};
constexpr std::chrono::seconds kNoticeShown{5};
constexpr std::uint64_t kSyncBytes = 64ULL << 20;
constexpr std::uint64_t kSmallFile = 4ULL << 20;
constexpr unsigned kFewestWorkers = 2, kMostWorkers = 4;

// SIGXFSZ (file limit) and SIGPIPE are answered as errors of the call instead; others are for the main
// thread.
class SignalGuard {
 public:
  explicit SignalGuard(bool all) {
    sigset_t blocked;
    if (all) {
      sigfillset(&blocked);
      // A fault of our own must stay one.
      for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&blocked, fault);
    } else {
      sigemptyset(&blocked);
      sigaddset(&blocked, SIGXFSZ);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  ~SignalGuard() {
    sigset_t pending;
    sigset_t limit;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    int taken = 0;
    if (sigismember(&before_, SIGXFSZ) == 0 && sigpending(&pending) == 0 &&
        sigismember(&pending, SIGXFSZ) == 1) {
      sigwait(&limit, &taken);
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  sigset_t before_{};
};

// What other clients' partial of the same blob has, to show while they hold the lock.
std::uint64_t BytesOfOthers(const BlobJob& job) {
  const std::uint64_t ours = BytesInJournal(job);
  if (ours > 0) return ours;
  std::uint64_t most = 0;
  std::error_code error;
  const std::string stem = job.blob.filename().string();
  for (std::filesystem::directory_iterator at(job.blob.parent_path(), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(stem) || !name.ends_with(".incomplete")) continue;
    struct stat info{};
    if (::stat(at->path().c_str(), &info) == 0)
      most = std::max(most, static_cast<std::uint64_t>(info.st_size));
  }
  return std::min(most, job.file.size);
}

// Null: somebody else holds it, or there is an error.
const BlobLock* HeldLock(const Result<std::optional<BlobLock>>& taken) {
  if (!taken) return nullptr;
  const std::optional<BlobLock>& lock = *taken;
  return lock ? &*lock : nullptr;
}

class Transfer {
 public:
  Transfer(TransferState& state, const ProgressObserver& observer, const PauseControl& pause,
           const CancelToken& cancel)
      : state_(state), observer_(observer), pause_(pause), cancel_(cancel) {}

  void Add(std::span<const BlobJob> jobs);
  Status Run();

 private:
  // The caller's thread: opens files as there is room, watches the clock, reports.
  void Tick();
  void Activate(FileTask& file, std::unique_lock<std::mutex>& lock);
  void Open(FileTask& file, bool locked, std::unique_lock<std::mutex>& lock);
  void ObservePause();
  void ObserveLine(Clock::time_point now);
  void Report(bool last);
  TransferProgress Snapshot(Clock::time_point now);
  // Worker threads.
  void Download();
  void Work();
  void SyncFiles();
  bool PickFlight(Flight& flight);
  bool PickIn(FileTask& file, Flight& flight);
  bool Steal(Flight& flight);
  int LargeFlights() const;
  void StopYoungest();
  bool Start(std::vector<std::thread>& threads);

  TransferState& state_;
  const ProgressObserver& observer_;
  const PauseControl& pause_;
  const CancelToken& cancel_;
  SpeedMeter meter_;
  Clock::time_point last_report_{}, last_poll_{}, line_since_{};
  std::uint64_t line_bytes_ = 0;  // at that time
  std::uint64_t total_bytes_ = 0, most_done_ = 0;
};

void Transfer::Add(std::span<const BlobJob> jobs) {
  std::map<std::filesystem::path, FileTask*> known;
  for (const BlobJob& job : jobs) {
    total_bytes_ += job.file.size;
    if (const auto found = known.find(job.blob); found != known.end()) {
      ++found->second->copies;
      continue;
    }
    auto file = std::make_unique<FileTask>();
    file->job = job;
    known.emplace(job.blob, file.get());
    state_.files.push_back(std::move(file));
  }
  // Small files first: they need many requests and little line, and a mistake in them shows early.
  std::ranges::stable_sort(state_.files, [](const auto& a, const auto& b) {
    return (a->size() <= kSmallFile) > (b->size() <= kSmallFile);
  });
}

// Whether the file is there already; else takes its lock and opens its partial. The disk is not waited for
// under the lock.
void Transfer::Activate(FileTask& file, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const bool there = !file.job.replace && BlobIsThere(file.job);
  Result<std::optional<BlobLock>> taken = std::nullopt;
  const bool leftovers = there && HasLeftovers(file.job);
  if (!there || leftovers) taken = BlobLock::Try(file.job.lock);
  const BlobLock* mine = HeldLock(taken);
  // Again, now that nobody else can be at it.
  const bool there_now = there || (mine && !file.job.replace && BlobIsThere(file.job));
  std::uint64_t others = 0;
  if (!there_now && !mine) others = BytesOfOthers(file.job);
  if (there_now && mine && mine->effective()) (void)RemoveLeftovers(file.job);
  lock.lock();
  if (there_now) {
    file.phase = Phase::kDone;
    file.resumed_bytes = 0;
    ++state_.done_files;
    state_.WakeAll();
    return;
  }
  if (!taken) return state_.FailWith(std::move(taken).error());
  file.waiting = !mine;
  file.others_bytes = others;
  if (!mine) return;
  if (state_.options.offline) {
    return state_.FailWith(
        {ErrorCode::kFailedPrecondition,
         fmt::format("{} is not on this machine, and the network is switched off for models "
                     "(HF_HUB_OFFLINE or hub.offline)",
                     file.job.file.path)});
  }
  const bool effective = mine->effective();
  file.lock = std::move(*taken);
  Open(file, effective, lock);
}

void Transfer::Open(FileTask& file, bool locked, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  auto partial = Partial::Open(file.job, locked);
  Status reserved;
  if (partial) reserved = (*partial)->Reserve();
  lock.lock();
  if (!partial) return state_.FailWith(std::move(partial).error());
  if (!reserved) return state_.FailWith(std::move(reserved).error());
  file.partial = std::move(*partial);
  file.hasher = std::make_unique<ContentHasher>(file.job.file.hash.is_sha256(), file.size());
  if (!file.hasher->good()) {
    return state_.FailWith({ErrorCode::kInternal, "the OpenSSL library here has no SHA-1 or SHA-256"});
  }
  for (const Extent& extent : file.partial->resumed()) {
    file.held.Add({extent.offset, extent.offset + extent.length});
    file.unverified.emplace(extent.offset, extent);
  }
  file.fresh = file.partial->copy() >= 2;
  file.resumed_bytes = file.held.bytes();
  file.last_sync = Clock::now();
  file.phase = Phase::kActive;
  state_.WakeAll();
}

void Transfer::ObservePause() {
  const bool paused = pause_.paused();
  if (paused == state_.paused) return;
  state_.paused = paused;
  meter_.Restart();
  if (paused) {
    state_.CancelFlights();
  } else {
    for (const auto& file : state_.files) {
      file->failures = 0;
      file->not_before = {};
    }
    state_.notice.clear();
  }
  state_.WakeAll();
}

void Transfer::ObserveLine(Clock::time_point now) {
  const std::chrono::duration<double> time = now - line_since_;
  if (time < kReport) return;
  state_.fast_line = static_cast<double>(state_.network_bytes - line_bytes_) > kFastLine * time.count();
  line_since_ = now;
  line_bytes_ = state_.network_bytes;
}

void Transfer::Tick() {
  std::unique_lock lock(state_.mutex);
  const auto now = Clock::now();
  if (cancel_.cancelled()) {
    return state_.FailWith({ErrorCode::kCancelled, "cancelled; what has come is kept"});
  }
  ObservePause();
  ObserveLine(now);
  const std::size_t most_active = static_cast<std::size_t>(state_.options.max_connections) * 2;
  std::size_t active = 0;
  for (const auto& file : state_.files) active += file->phase == Phase::kActive ? 1 : 0;
  const bool poll = now - last_poll_ >= kReport;
  if (poll) last_poll_ = now;
  for (const auto& file : state_.files) {
    if (state_.stop || state_.paused || active >= most_active || cancel_.cancelled()) break;
    if (file->phase != Phase::kPending || (file->waiting && !poll)) continue;
    Activate(*file, lock);
    active += file->phase == Phase::kActive ? 1 : 0;
  }
  std::uint64_t left = 0;
  for (const auto& file : state_.files) {
    if (file->phase != Phase::kDone) left += file->size() - file->held.bytes();
  }
  state_.governor.Observe(now, state_.network_bytes, left, LargeFlights());
  if (LargeFlights() > state_.governor.target()) StopYoungest();
  // Workers whose file waits for its time look again.
  state_.WakeAll();
}

int Transfer::LargeFlights() const {
  int count = 0;
  for (const auto& file : state_.files) {
    if (file->size() <= kSmallFile) continue;
    count += static_cast<int>(
        std::ranges::count_if(file->flights, [](const Flight* flight) { return !flight->stop.cancelled(); }));
  }
  return count;
}

// One connection less; what it had to do is picked up by another, later.
void Transfer::StopYoungest() {
  Flight* youngest = nullptr;
  for (const auto& file : state_.files) {
    if (file->size() <= kSmallFile) continue;
    for (Flight* flight : file->flights) {
      if (flight->stop.cancelled()) continue;
      if (youngest == nullptr || flight->started > youngest->started) youngest = flight;
    }
  }
  if (youngest != nullptr) youngest->stop.Cancel();
}

bool Transfer::PickIn(FileTask& file, Flight& flight) {
  if (file.phase != Phase::kActive || file.locating || Clock::now() < file.not_before) return false;
  const bool busy = !file.flights.empty();
  if (busy && (file.whole_only || !file.location)) return false;
  RangeSet taken = file.held;
  for (const Flight* other : file.flights) taken.Add({other->begin, other->end});
  const auto gaps = taken.Missing({0, file.size()});
  if (gaps.empty()) return false;
  flight.file = &file;
  flight.begin = file.whole_only ? 0 : gaps.front().begin;
  flight.end = file.whole_only ? file.size() : gaps.front().end;
  return true;
}

// The second half of what the busiest flight still has to do.
bool Transfer::Steal(Flight& flight) {
  Flight* most = nullptr;
  std::uint64_t left = 0;
  for (const auto& file : state_.files) {
    if (file->phase != Phase::kActive || file->whole_only || !file->location ||
        Clock::now() < file->not_before) {
      continue;
    }
    for (Flight* other : file->flights) {
      const std::uint64_t remaining =
          other->end - std::min(other->end, std::max(other->position, other->begin));
      if (remaining <= left || other->stop.cancelled()) continue;
      most = other;
      left = remaining;
    }
  }
  if (most == nullptr || left < 2 * state_.options.part_bytes) return false;
  std::uint64_t middle = most->end - left / 2;
  if (left >= 4 * kExtentBytes) middle -= middle % kExtentBytes;
  flight.file = most->file;
  flight.begin = middle;
  flight.end = most->end;
  most->end = middle;
  return true;
}

bool Transfer::PickFlight(Flight& flight) {
  bool picked = false;
  const bool may_large = LargeFlights() < state_.governor.target();
  for (const auto& file : state_.files) {
    if (file->size() > kSmallFile && !may_large) continue;
    picked = PickIn(*file, flight);
    if (picked) break;
  }
  if (!picked && may_large) picked = Steal(flight);
  if (!picked) return false;
  flight.position = flight.begin;
  flight.started = Clock::now();
  flight.file->flights.push_back(&flight);
  return true;
}

void Transfer::Download() {
  const SignalGuard guard(true);
  std::unique_lock lock(state_.mutex);
  while (!state_.stop && !state_.finished()) {
    Flight flight;
    if (state_.paused || !PickFlight(flight)) {
      state_.wake.wait(lock);
      continue;
    }
    lock.unlock();
    RunFlight(state_, flight);
    lock.lock();
  }
}

// Hashing first: a connection writes what waits too long itself, but nobody else hashes.
void Transfer::Work() {
  const SignalGuard guard(true);
  std::unique_lock lock(state_.mutex);
  while (!state_.stop && !state_.finished()) {
    FileTask* file = NextToHash(state_);
    if (file == nullptr) {
      if (!WriteNext(state_, lock)) state_.work.wait(lock);
      continue;
    }
    file->hashing = true;
    lock.unlock();
    HashFurther(state_, *file);
    lock.lock();
    file->hashing = false;
    state_.WakeAll();
  }
}

// Makes what has come durable every few seconds, away from the threads that it would hold up.
void Transfer::SyncFiles() {
  const SignalGuard guard(true);
  std::unique_lock lock(state_.mutex);
  while (!state_.stop && !state_.finished()) {
    std::shared_ptr<Partial> due;
    const auto now = Clock::now();
    for (const auto& file : state_.files) {
      if (!file->partial || file->partial->unsynced_bytes() == 0) continue;
      if (state_.paused || file->partial->unsynced_bytes() >= kSyncBytes ||
          now - file->last_sync >= kSyncEvery) {
        due = file->partial;
        file->last_sync = now;
        break;
      }
    }
    if (!due) {
      state_.wake.wait_for(lock, std::chrono::milliseconds(100));
      continue;
    }
    lock.unlock();
    const Status synced = due->Sync();
    due.reset();
    lock.lock();
    if (!synced) state_.FailWith(synced.error());
  }
}

TransferProgress Transfer::Snapshot(Clock::time_point now) {
  TransferProgress progress = AddUp(state_);
  progress.total_bytes = total_bytes_;
  // A file that is fetched once more does not take the bar back.
  most_done_ = progress.done_bytes = std::max(most_done_, progress.done_bytes);
  meter_.Observe(now, state_.network_bytes);
  progress.bytes_per_second = meter_.bytes_per_second();
  progress.eta_seconds = meter_.SecondsFor(progress.total_bytes - progress.done_bytes);
  progress.notice = state_.notice;
  if (progress.connections > 0 && progress.bytes_per_second > 0 && now - state_.noticed_at > kNoticeShown) {
    state_.notice.clear();  // what was waited for has come, and who watches has had time to read it
  }
  return progress;
}

void Transfer::Report(bool last) {
  const auto now = Clock::now();
  if (!last && now - last_report_ < kReport) return;
  last_report_ = now;
  TransferProgress progress;
  {
    const std::lock_guard lock(state_.mutex);
    progress = Snapshot(now);
  }
  if (observer_) observer_(progress);
}

bool Transfer::Start(std::vector<std::thread>& threads) {
  try {
    threads.emplace_back([this] { SyncFiles(); });
    const unsigned workers = std::clamp(std::thread::hardware_concurrency(), kFewestWorkers, kMostWorkers);
    for (unsigned i = 0; i < workers; ++i) threads.emplace_back([this] { Work(); });
    threads.emplace_back([this] { Download(); });
  } catch (const std::system_error&) {
    return false;
  }
  try {
    for (int i = 1; i < state_.options.max_connections; ++i) threads.emplace_back([this] { Download(); });
  } catch (const std::system_error&) {
    return true;  // fewer connections will do
  }
  return true;
}

Status Transfer::Run() {
  const SignalGuard guard(false);
  // Most often everything is there: no thread is made for that.
  {
    std::unique_lock lock(state_.mutex);
    for (const auto& file : state_.files) {
      if (!file->job.replace && BlobIsThere(file->job)) Activate(*file, lock);
    }
  }
  std::vector<std::thread> threads;
  if (!state_.finished() && !Start(threads)) {
    const std::lock_guard lock(state_.mutex);
    state_.FailWith({ErrorCode::kResourceExhausted, "no more threads can be made here"});
  }
  for (;;) {
    {
      const std::lock_guard lock(state_.mutex);
      if (state_.stop || state_.finished()) break;
    }
    Tick();
    Report(false);
    std::unique_lock lock(state_.mutex);
    if (!state_.stop && !state_.finished()) state_.wake.wait_for(lock, kTick);
  }
  {
    const std::lock_guard lock(state_.mutex);
    state_.StopAll();
  }
  for (std::thread& thread : threads) thread.join();
  Report(true);
  return state_.failure;
}

}  // namespace

Status FetchBlobs(HubClient& client, const std::string& repository, const std::string& commit,
                  std::span<const BlobJob> jobs, const ProgressObserver& observer, const PauseControl& pause,
                  const CancelToken& cancel) {
  for (const BlobJob& job : jobs) {
    if (!ParseContentHash(job.file.hash.hex)) {
      return Fail(ErrorCode::kInvalidArgument, "a file without a hash of 40 or 64 hex digits");
    }
  }
  GPTOSS_TRY(RequestPolicy policy, RequestPolicy::Create(client.options()));
  TransferState state(client, std::move(policy), repository, commit);
  Transfer transfer(state, observer, pause, cancel);
  transfer.Add(jobs);
  return transfer.Run();
}

std::uint64_t DurableBytes(std::span<const BlobJob> jobs) {
  std::uint64_t bytes = 0;
  for (const BlobJob& job : jobs) {
    bytes += BlobIsThere(job) && !job.replace ? job.file.size : BytesInJournal(job);
  }
  return bytes;
}

std::uint64_t TakenBytes(std::span<const BlobJob> jobs) {
  std::uint64_t bytes = 0;
  for (const BlobJob& job : jobs) {
    const std::uint64_t set_aside = std::min(job.file.size, BytesSetAside(job));
    bytes += std::max(set_aside, DurableBytes(std::span(&job, 1)));
  }
  return bytes;
}

Status DropPartials(std::span<const BlobJob> jobs) {
  Status status;
  for (const BlobJob& job : jobs) {
    auto lock = BlobLock::Try(job.lock);
    if (!lock) {
      status = std::unexpected(std::move(lock).error());
    } else if (!*lock) {
      status = Fail(
          ErrorCode::kFailedPrecondition,
          fmt::format("{} is being downloaded by another process; its partial file stays", job.file.path));
    } else if (Status removed = RemoveLeftovers(job); !removed) {
      status = std::move(removed);
    }
  }
  return status;
}

void SweepLeftovers(std::span<const BlobJob> jobs) {
  for (const BlobJob& job : jobs) {
    if (!HasLeftovers(job) || !BlobIsThere(job)) continue;
    const auto lock = BlobLock::Try(job.lock);
    if (const BlobLock* mine = HeldLock(lock); mine && mine->effective()) (void)RemoveLeftovers(job);
  }
}

}  // namespace gptoss::hub
