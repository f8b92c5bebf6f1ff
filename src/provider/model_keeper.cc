#include "provider/model_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "platform/memory.h"
#include "platform/system.h"
#include "provider/fingerprint.h"

namespace gptoss {
namespace {

// Cancel tokens ring no bell: those who wait look at theirs so often.
constexpr std::chrono::milliseconds kLook{10};

Error Refusal(const Availability& look) {
  const std::string text = look.advice.empty() ? look.reason : look.reason + "; " + look.advice;
  switch (look.state) {
    case ModelState::kNotInstalled:
      return {look.error == ErrorCode::kDataLoss ? look.error : ErrorCode::kNotFound, text};
    case ModelState::kDownloading:
      return {ErrorCode::kUnavailable,
              fmt::format("the model is being downloaded ({:.0f} %); try again when it is complete",
                          100 * look.fraction)};
    default:
      return {look.error, text};
  }
}

}  // namespace

ModelKeeper::ModelKeeper(const ProviderOptions& options, std::unique_ptr<ModelSource> source,
                         Telemetry& telemetry, std::function<void()> cancel_turns)
    : options_(options),
      source_(std::move(source)),
      telemetry_(telemetry),
      cancel_turns_(std::move(cancel_turns)),
      state_(source_->Look()),
      keep_alive_(options.idle_unload),
      thread_([this] { Run(); }) {}

ModelKeeper::~ModelKeeper() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    if (job_) job_->cancel.Cancel();
  }
  changed_.notify_all();
  thread_.join();
}

Availability ModelKeeper::availability() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void ModelKeeper::Change(Availability to) {
  if (to == state_ || !TransitionAllowed(state_.state, to.state)) return;
  state_ = to;
  notifier_.Tell(std::move(to));
}

Availability ModelKeeper::Refresh() {
  Availability look = source_->Look();  // reads the disk: not under the lock
  std::lock_guard lock(mutex_);
  const bool settled = state_.state != ModelState::kLoading && state_.state != ModelState::kReady;
  if (settled && !installing_ && !path_) Change(std::move(look));
  return state_;
}

std::string ModelKeeper::model_hash() const {
  std::lock_guard lock(mutex_);
  return model_hash_;
}

ModelFacts ModelKeeper::facts() const {
  std::lock_guard lock(mutex_);
  if (!model_) return {};
  return {.name = model_->model().name,
          .hash = model_hash_,
          .backend = model_->engine().backend_description(),
          .context_tokens = model_->engine().context_tokens(),
          .max_context_tokens = model_->model().config.max_context,
          .estimate = estimate_};
}

MemoryWatermark ModelKeeper::memory() const {
  MemoryWatermark now;
  now.resident = ResidentMemory();
  now.resident_peak = PeakResidentMemory();
  std::lock_guard lock(mutex_);
  if (!model_) return now;
  const BackendMemory memory = model_->memory();
  kv_peak_ = std::max(kv_peak_, memory.kv);
  now.weights = memory.weights;
  now.kv = memory.kv;
  now.scratch = memory.scratch;
  now.kv_peak = kv_peak_;
  now.kv_bound = kv_bound_;
  now.estimated = estimate_.total();
  now.estimated_kv = estimate_.kv;
  return now;
}

// ---- lending ---------------------------------------------------------------------------------------------

Result<ModelKeeper::Lease> ModelKeeper::Acquire(const std::optional<std::string>& path,
                                                const CancelToken& cancel) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_ || cancel.cancelled()) return Fail(ErrorCode::kCancelled, "the load was cancelled");
    const bool other = path && path != path_;
    if (model_ && !unload_wanted_ && !other) {
      ++leases_;
      return Lease(*this, model_);
    }
    if (other && (leases_ > 0 || (job_ && job_->path != path))) {
      return Fail(ErrorCode::kFailedPrecondition, "another model is in use; unload it first");
    }
    if (model_) {  // on its way out
      unload_wanted_ = true;
      changed_.notify_all();
      changed_.wait_for(lock, kLook);
      continue;
    }
    if (!job_) {
      job_ = std::make_shared<Job>();
      job_->path = path ? path : path_;
      changed_.notify_all();
    }
    const std::shared_ptr<Job> job = job_;
    ++job->waiters;
    while (!job->done && !cancel.cancelled() && !stopping_) changed_.wait_for(lock, kLook);
    if (--job->waiters == 0 && !job->done) job->cancel.Cancel();  // nobody waits any more
    if (job->done && !job->result) {
      if (job->result.error().code == ErrorCode::kCancelled && !cancel.cancelled() && !stopping_) continue;
      return std::unexpected(job->result.error());
    }
  }
}

void ModelKeeper::Return(std::optional<std::chrono::milliseconds> keep_alive) {
  {
    std::lock_guard lock(mutex_);
    --leases_;
    idle_since_ = Clock::now();
    keep_alive_ = keep_alive.value_or(options_.idle_unload);
  }
  changed_.notify_all();
}

// ---- the keeper's thread ---------------------------------------------------------------------------------

// When the model has to go; nullopt: not before something changes.
std::optional<ModelKeeper::Clock::time_point> ModelKeeper::UnloadAt() const {
  if (!model_ || leases_ > 0) return std::nullopt;
  if (unload_wanted_ || stopping_) return Clock::time_point::min();
  if (keep_alive_.count() < 0) return std::nullopt;
  return idle_since_ + keep_alive_;
}

void ModelKeeper::Run() {
  NameThisThread("gptoss-keeper");
  std::unique_lock lock(mutex_);
  for (;;) {
    if (const auto at = UnloadAt(); at && *at <= Clock::now()) {
      UnloadNow(lock);
    } else if (stopping_) {
      return;
    } else if (job_ && !job_->done) {
      RunJob(lock);
    } else if (at) {
      changed_.wait_until(lock, *at);
    } else {
      changed_.wait(lock);
    }
  }
}

void ModelKeeper::RunJob(std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<Job> job = job_;
  if (job->path) {
    Change({.state = ModelState::kInstalled, .reason = "a path was given"});
  }
  lock.unlock();
  std::string warning;
  auto loaded = LoadModel(*job, warning);
  if (!warning.empty()) Say(LogLevel::kWarning, warning);
  if (loaded) {
    Say(LogLevel::kInfo, fmt::format("{} is ready with a context of {} tokens", (*loaded)->model().name,
                                     (*loaded)->engine().context_tokens()));
  } else {
    Say(loaded.error().code == ErrorCode::kCancelled ? LogLevel::kInfo : LogLevel::kError,
        loaded.error().message);
  }
  Availability after{.state = ModelState::kReady, .reason = std::move(warning)};
  if (!loaded) {
    if (options_.suspend_consumers) options_.suspend_consumers(false);
    ReleaseFreeMemory();
    after = source_->Look();
  }
  lock.lock();
  if (loaded) {
    model_ = std::move(*loaded);
    path_ = job->path;
    kv_peak_ = 0;
    idle_since_ = Clock::now();
    keep_alive_ = options_.idle_unload;
    telemetry_.CountLoad();
    Change(std::move(after));
  } else {
    job->result = std::unexpected(std::move(loaded).error());
    // A load that never began changes nothing but what a look at the files says.
    if (state_.state == ModelState::kLoading)
      Change({.state = ModelState::kInstalled, .reason = job->result.error().message});
    if (after.state != ModelState::kInstalled) Change(std::move(after));
  }
  job->done = true;
  job_.reset();
  changed_.notify_all();
}

Result<std::shared_ptr<LoadedModel>> ModelKeeper::LoadModel(Job& job, std::string& warning) {
  if (!job.path) {
    Availability look = source_->Look();
    std::lock_guard lock(mutex_);
    if (look.state != ModelState::kInstalled) {
      Error refusal = Refusal(look);
      Change(std::move(look));
      return std::unexpected(std::move(refusal));
    }
    Change(std::move(look));
  }
  {
    std::lock_guard lock(mutex_);
    Change({.state = ModelState::kLoading});
  }
  const std::uint64_t process = ResidentMemory();  // opening maps and reads some of the weights
  GPTOSS_TRY(const Checkpoint checkpoint, source_->Open(job.path));
  GPTOSS_TRY(const MemoryVerdict verdict, Guard(checkpoint, process));
  warning = verdict.warning;
  if (options_.suspend_consumers) options_.suspend_consumers(true);
  LoadedModel::Options options;
  options.backend = options_.backend;
  options.engine.context_tokens = verdict.context;
  options.engine.stream_capacity = options_.buffer_chunks;
  const std::uint64_t without_kv = verdict.estimate.total() - verdict.estimate.kv;
  options.backend.kv_bound_bytes = verdict.limit > without_kv ? verdict.limit - without_kv : 0;
  auto loaded = source_->Load(
      checkpoint, options,
      [&](double fraction) {
        std::lock_guard lock(mutex_);
        Change({.state = ModelState::kLoading, .reason = verdict.warning, .fraction = fraction});
      },
      job.cancel.token());
  if (!loaded) return std::unexpected(std::move(loaded).error());
  if (job.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "the load was cancelled");
  std::string hash = Fingerprint(*checkpoint.model);
  std::lock_guard lock(mutex_);
  model_hash_ = std::move(hash);
  kv_bound_ = options.backend.kv_bound_bytes;
  estimate_ = verdict.estimate;
  return std::shared_ptr<LoadedModel>(std::move(*loaded));
}

Result<MemoryVerdict> ModelKeeper::Guard(const Checkpoint& checkpoint, std::uint64_t process) {
  const ModelConfig& config = checkpoint.model->config;
  const std::int64_t wanted = options_.context_tokens > 0
                                  ? std::min(options_.context_tokens, config.max_context)
                                  : std::min<std::int64_t>(config.max_context, 131072);
  const MemoryInfo machine = options_.read_memory ? options_.read_memory() : SystemMemory();
  MemoryVerdict verdict =
      Preflight(*checkpoint.model, options_.backend, wanted, options_.memory, machine, process);
  if (verdict.answer == MemoryVerdict::Answer::kNo)
    return Fail(ErrorCode::kResourceExhausted, verdict.advice);
  return verdict;
}

void ModelKeeper::UnloadNow(std::unique_lock<std::mutex>& lock) {
  std::shared_ptr<LoadedModel> model = std::move(model_);
  model_.reset();
  unloading_ = true;
  lock.unlock();
  model.reset();  // joins the engine
  ReleaseFreeMemory();
  if (options_.suspend_consumers) options_.suspend_consumers(false);
  Say(LogLevel::kInfo, fmt::format("the model was unloaded; {:.0f} MB are resident",
                                   static_cast<double>(ResidentMemory()) / 1e6));
  Availability look = source_->Look();
  lock.lock();
  unload_wanted_ = unloading_ = false;
  telemetry_.CountUnload();
  Change({.state = ModelState::kInstalled, .reason = "unloaded"});
  if (look.state != ModelState::kInstalled && !path_) Change(std::move(look));
  changed_.notify_all();
}

// ---- letting go ------------------------------------------------------------------------------------------

void ModelKeeper::Unload(PressurePolicy turns) {
  std::unique_lock lock(mutex_);
  if (job_) job_->cancel.Cancel();
  // A load or an unload that is under way ends first, so that nothing is in memory when this returns.
  while (!model_ && (job_ || unloading_) && !stopping_) changed_.wait_for(lock, kLook);
  if (!model_) return;
  unload_wanted_ = true;
  changed_.notify_all();
  if (turns == PressurePolicy::kCancelTurns && leases_ > 0) {
    lock.unlock();
    cancel_turns_();
    lock.lock();
  }
  while (((model_ && unload_wanted_) || unloading_) && !stopping_) changed_.wait_for(lock, kLook);
}

void ModelKeeper::OnMemoryPressure(MemoryPressure pressure) {
  Say(pressure == MemoryPressure::kNormal ? LogLevel::kDebug : LogLevel::kWarning,
      fmt::format("memory pressure: {}", MemoryPressureName(pressure)));
  if (pressure == MemoryPressure::kNormal) return;
  std::unique_lock lock(mutex_);
  if (pressure == MemoryPressure::kWarning) {
    const std::shared_ptr<LoadedModel> model = model_;
    lock.unlock();
    if (model) model->DropCaches();
    ReleaseFreeMemory();
    return;
  }
  if (job_) job_->cancel.Cancel();
  if (!model_) return;
  unload_wanted_ = true;  // when the running turns have ended
  changed_.notify_all();
  const bool cancel = options_.pressure == PressurePolicy::kCancelTurns && leases_ > 0;
  lock.unlock();
  if (cancel) cancel_turns_();
}

// ---- installing ------------------------------------------------------------------------------------------

Status ModelKeeper::Install(const std::string& acknowledged_by, const CancelToken& cancel) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (state_.state == ModelState::kLoading || state_.state == ModelState::kReady) return {};
    if (!installing_) break;
    const std::uint64_t before = installs_;
    while (installs_ == before && !cancel.cancelled() && !stopping_) changed_.wait_for(lock, kLook);
    if (installs_ == before) return Fail(ErrorCode::kCancelled, "waiting for the download was cancelled");
    // The one that was joined may have been cancelled by its own caller: then this one goes on with it.
    if (install_result_ || install_result_.error().code != ErrorCode::kCancelled) return install_result_;
  }
  installing_ = true;
  Change({.state = ModelState::kDownloading});
  lock.unlock();
  Status result = source_->Install(
      acknowledged_by,
      [&](const Availability& progress) {
        std::lock_guard inner(mutex_);
        if (progress.state == ModelState::kDownloading) Change(progress);
      },
      cancel);
  Availability look = source_->Look();
  lock.lock();
  install_result_ = result;
  if (!result && look.reason.empty()) look.reason = result.error().message;
  Change(std::move(look));
  installing_ = false;
  ++installs_;
  changed_.notify_all();
  return result;
}

}  // namespace gptoss
