// Keeps one model: loads it when somebody needs it, lends it out, lets it go when it is idle, unwanted or
// memory is short.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/cancel.h"
#include "base/error.h"
#include "provider/agent_provider.h"
#include "provider/notifier.h"
#include "provider/telemetry.h"

namespace gptoss {

// Safe from any thread. Two threads of its own: the keeper, which alone loads and unloads, and the notifier.
class ModelKeeper {
 public:
  // `cancel_turns` ends all turns, soon; called without locks.
  ModelKeeper(const ProviderOptions& options, std::unique_ptr<ModelSource> source, Telemetry& telemetry,
              std::function<void()> cancel_turns);
  ~ModelKeeper();  // precondition: no leases
  ModelKeeper(const ModelKeeper&) = delete;
  ModelKeeper& operator=(const ModelKeeper&) = delete;

  // The model for the time of one turn. While one lives, the model stays.
  class Lease {
   public:
    Lease(ModelKeeper& keeper, std::shared_ptr<LoadedModel> model)
        : keeper_(&keeper), model_(std::move(model)) {}
    Lease(Lease&& other) noexcept
        : keeper_(std::exchange(other.keeper_, nullptr)), model_(std::move(other.model_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      model_.reset();  // before the keeper may think that nobody holds it
      if (keeper_ != nullptr) keeper_->Return(keep_alive_);
    }
    LoadedModel& model() const { return *model_; }
    // How long the model stays after this lease; nullopt: the setting.
    void KeepAlive(std::optional<std::chrono::milliseconds> time) { keep_alive_ = time; }

   private:
    ModelKeeper* keeper_;
    std::shared_ptr<LoadedModel> model_;
    std::optional<std::chrono::milliseconds> keep_alive_;
  };

  Result<Lease> Acquire(const std::optional<std::string>& path, const CancelToken& cancel);
  void Unload(PressurePolicy turns);
  Status Install(const std::string& acknowledged_by, const CancelToken& cancel);
  void OnMemoryPressure(MemoryPressure pressure);

  Availability availability() const;
  Availability Refresh();
  Notifier& notifier() { return notifier_; }
  MemoryWatermark memory() const;
  std::string model_hash() const;
  ModelFacts facts() const;

 private:
  using Clock = std::chrono::steady_clock;
  // One load and those who wait for it.
  struct Job {
    std::optional<std::string> path;
    CancelSource cancel;
    int waiters = 0;
    bool done = false;
    Status result;
  };

  void Run();
  void Return(std::optional<std::chrono::milliseconds> keep_alive);
  std::optional<Clock::time_point> UnloadAt() const;
  void RunJob(std::unique_lock<std::mutex>& lock);
  void UnloadNow(std::unique_lock<std::mutex>& lock);
  Result<std::shared_ptr<LoadedModel>> LoadModel(Job& job, std::string& warning);
  Result<MemoryVerdict> Guard(const Checkpoint& checkpoint, std::uint64_t process);
  void Change(Availability to);                                  // with mutex_ held
  void Say(LogLevel level, const std::string& sentence) const {  // without it
    if (options_.log) options_.log(level, sentence);
  }

  const ProviderOptions options_;
  const std::unique_ptr<ModelSource> source_;
  Telemetry& telemetry_;
  const std::function<void()> cancel_turns_;
  Notifier notifier_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Availability state_;
  std::shared_ptr<LoadedModel> model_;
  std::optional<std::string> path_;  // of the model that is loaded, where it is not the configured one
  std::string model_hash_;
  std::uint64_t kv_bound_ = 0;
  MemoryEstimate estimate_;
  mutable std::uint64_t kv_peak_ = 0;
  int leases_ = 0;
  bool unload_wanted_ = false;
  bool unloading_ = false;  // model_ is empty, and its memory not yet given back
  Clock::time_point idle_since_{};
  std::chrono::milliseconds keep_alive_;
  std::shared_ptr<Job> job_;
  bool installing_ = false;
  std::uint64_t installs_ = 0;  // that ended; the last one's result
  Status install_result_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gptoss
