// A model for tests: says what a script says, chunk by chunk, through the provider's own types. No engine
// behind it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/testing/fake_backend.h"
#include "provider/agent_provider.h"
#include "provider/testing/engine_model.h"

namespace gptoss::testing {

// What a test sets before the provider starts, and sees while it runs.
struct ScriptedControl {
  std::atomic<int> opened{0}, loaded{0}, alive{0}, installs{0}, dropped{0};
  std::atomic<ModelState> look{ModelState::kInstalled};
  std::atomic<int> looks{0};       // beyond 0: part of what a look tells, so that a state can follow itself
  std::atomic<int> load_steps{3};  // fractions that a load tells
  std::chrono::milliseconds per_load_step{0};
  std::atomic<bool> fail_load{false}, fail_open{false}, fail_install{false};
  std::chrono::milliseconds per_install_step{0};
  std::function<void()> at_install_step;
  void NotePath(const std::string& path) {
    const std::lock_guard lock(mutex_);
    paths_.push_back(path);
  }
  std::vector<std::string> paths() {
    const std::lock_guard lock(mutex_);
    return paths_;
  }
  std::shared_ptr<FakeControl> backend = std::make_shared<FakeControl>();

 private:
  std::mutex mutex_;
  std::vector<std::string> paths_;
};

// Runs turns on a real engine over the fake backend, with the demo's tokenizer.
class ScriptedModel final : public EngineModel {
 public:
  ScriptedModel(std::shared_ptr<ScriptedControl> control, std::shared_ptr<const Tokenizer> tokenizer,
                std::shared_ptr<const Model> model, const Options& options)
      : EngineModel(control->backend, std::move(tokenizer), std::move(model), options.engine, 4000),
        control_(std::move(control)) {
    ++control_->alive;
  }
  ~ScriptedModel() override { --control_->alive; }
  ScriptedModel(const ScriptedModel&) = delete;
  ScriptedModel& operator=(const ScriptedModel&) = delete;

  void DropCaches() override {
    ++control_->dropped;
    EngineModel::DropCaches();
  }

 private:
  std::shared_ptr<ScriptedControl> control_;
};

class ScriptedSource final : public ModelSource {
 public:
  explicit ScriptedSource(std::shared_ptr<ScriptedControl> control) : control_(std::move(control)) {}

  Availability Look() override {
    const ModelState state = control_->look;
    Availability look{.state = state};
    if (state == ModelState::kUnavailable) look.reason = "the test says no";
    if (state == ModelState::kNotInstalled) look.reason = "the test has not installed it";
    if (control_->looks > 0) look.advice = std::to_string(control_->looks);
    return look;
  }
  Result<Checkpoint> Open(const std::optional<std::string>& path) override {
    ++control_->opened;
    if (path) control_->NotePath(*path);
    if (control_->fail_open) return Fail(ErrorCode::kDataLoss, "the test broke the file");
    return OpenDemoCheckpoint();
  }
  Result<std::unique_ptr<LoadedModel>> Load(const Checkpoint& checkpoint, const LoadedModel::Options& options,
                                            const std::function<void(double)>& on_fraction,
                                            const CancelToken& cancel) override {
    for (int i = 0; i < control_->load_steps; ++i) {
      if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "the load was cancelled");
      std::this_thread::sleep_for(control_->per_load_step);
      on_fraction(static_cast<double>(i + 1) / control_->load_steps);
    }
    if (control_->fail_load) return Fail(ErrorCode::kDataLoss, "the test broke the load");
    ++control_->loaded;
    auto tokenizer = LoadTokenizer(checkpoint);
    if (!tokenizer) return std::unexpected(std::move(tokenizer).error());
    return std::make_unique<ScriptedModel>(control_, *tokenizer, checkpoint.model, options);
  }
  Status Install(const std::string&, const std::function<void(const Availability&)>& on_state,
                 const CancelToken& cancel) override {
    ++control_->installs;
    for (int i = 0; i < 4; ++i) {
      if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "the download was cancelled");
      on_state(
          {.state = ModelState::kDownloading, .fraction = i / 4.0, .eta_seconds = i == 0 ? -1 : 4.0 - i});
      if (control_->at_install_step) control_->at_install_step();
      std::this_thread::sleep_for(control_->per_install_step);
    }
    if (control_->fail_install) return Fail(ErrorCode::kUnavailable, "the test broke the network");
    control_->look = ModelState::kInstalled;
    return {};
  }

 private:
  std::shared_ptr<ScriptedControl> control_;
};

}  // namespace gptoss::testing
