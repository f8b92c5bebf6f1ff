#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/generation.h"
#include "engine/scheduler.h"

namespace gptoss {
namespace {

constexpr std::int64_t kMaxContext = 131072;
constexpr std::size_t kMaxUnfinished = 256;  // running and waiting together

class Stream final : public TokenStream {
 public:
  Stream(std::shared_ptr<Generation> generation, std::shared_ptr<Mailbox> mailbox)
      : generation_(std::move(generation)), mailbox_(std::move(mailbox)) {}
  ~Stream() override { Stream::Cancel(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::optional<std::int32_t> Next() override {
    for (;;) {
      auto id = generation_->channel.PopFor(std::chrono::milliseconds(10));
      if (!id && generation_->channel.closed()) {
        id = generation_->channel.Pop();  // what came between the two looks; closed, so it does not wait
        if (!id) {
          stats_ = generation_->stats;
          return std::nullopt;
        }
      }
      if (id) {
        if (generation_->paused.load()) mailbox_->Wake();
        return id;
      }
      // The reader watches the request's token while the engine is inside the backend, so that a cancel
      // takes effect within a chunk and not only after it.
      if (generation_->request.cancel.cancelled()) generation_->stop.Cancel();
    }
  }
  void Cancel() override {
    generation_->stop.Cancel();
    mailbox_->Wake();
  }
  const GenerationStats& stats() const override { return stats_; }

 private:
  std::shared_ptr<Generation> generation_;
  std::shared_ptr<Mailbox> mailbox_;
  GenerationStats stats_;
};

class ThreadedEngine final : public Engine {
 public:
  ThreadedEngine(std::unique_ptr<Backend> backend, const EngineOptions& options)
      : backend_(std::move(backend)),
        options_(options),
        vocab_(backend_->config().vocab),
        scheduler_(*backend_, options_, *mailbox_, shutdown_.token()) {}
  ~ThreadedEngine() override {
    shutdown_.Cancel();
    {
      std::lock_guard lock(live_mutex_);
      for (const auto& weak : live_) {
        if (const auto generation = weak.lock()) generation->stop.Cancel();
      }
    }
    mailbox_->Stop();
    if (thread_.joinable()) thread_.join();
  }
  ThreadedEngine(const ThreadedEngine&) = delete;
  ThreadedEngine& operator=(const ThreadedEngine&) = delete;

  Status StartThread() {
    try {
      thread_ = std::thread([this] { scheduler_.Run(); });
    } catch (const std::system_error& error) {
      return Fail(ErrorCode::kResourceExhausted, fmt::format("cannot start a thread: {}", error.what()));
    }
    return {};
  }

  Result<std::unique_ptr<TokenStream>> Submit(GenerationRequest request) override {
    GPTOSS_CHECK_OK(Validate(request));
    auto generation = std::make_shared<Generation>(std::move(request), options_.stream_capacity);
    const auto& seed = generation->request.sampling.seed;
    generation->stats.seed = seed ? *seed : FreshSeed();
    {
      std::lock_guard lock(live_mutex_);
      std::erase_if(live_, [](const auto& weak) { return weak.expired(); });
      live_.push_back(generation);
    }
    if (!mailbox_->Submit(generation, kMaxUnfinished)) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{} requests are waiting already; try again later", kMaxUnfinished));
    }
    return std::make_unique<Stream>(std::move(generation), mailbox_);
  }
  void ForgetConversation(const std::string& key) override { mailbox_->Forget(key); }
  void DropIdleConversations() override { mailbox_->DropIdle(); }
  BackendMemory memory() const override { return scheduler_.memory(); }
  std::int64_t context_tokens() const override { return options_.context_tokens; }
  std::string backend_description() const override { return backend_->description(); }

 private:
  Status Validate(const GenerationRequest& request) const {
    GPTOSS_CHECK_OK(ValidateSampling(request.sampling));
    if (request.prompt.empty()) return Fail(ErrorCode::kInvalidArgument, "the prompt is empty");
    if (request.max_tokens < 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("max_tokens is {}; expected 0 (no limit) or more", request.max_tokens));
    }
    const auto length = static_cast<std::int64_t>(request.prompt.size());
    if (length >= options_.context_tokens) {
      return Fail(
          ErrorCode::kOutOfRange,
          fmt::format("the prompt has {} tokens and leaves no room in the context of {}; shorten it or "
                      "start a new conversation",
                      length, options_.context_tokens));
    }
    for (const std::int32_t id : request.prompt) {
      if (id < 0 || id >= vocab_) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("token {} of the prompt is not in the vocabulary of {}", id, vocab_));
      }
    }
    return {};
  }

  std::unique_ptr<Backend> backend_;
  const EngineOptions options_;
  const std::int64_t vocab_;
  CancelSource shutdown_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::mutex live_mutex_;
  std::vector<std::weak_ptr<Generation>> live_;  // for the destructor: ends calls that are under way
  Scheduler scheduler_;
  std::thread thread_;
};

Status CheckAtLeastOne(std::string_view name, std::int64_t value) {
  if (value >= 1) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is {}; expected at least 1", name, value));
}

}  // namespace

std::string_view StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kStopToken:
      return "stop";
    case StopReason::kMaxTokens:
      return "max_tokens";
    case StopReason::kContextLimit:
      return "context_limit";
    case StopReason::kCancelled:
      return "cancelled";
    case StopReason::kError:
      return "error";
  }
  return "error";
}

Result<std::unique_ptr<Engine>> Engine::Create(std::unique_ptr<Backend> backend,
                                               const EngineOptions& options) {
  if (backend == nullptr) return Fail(ErrorCode::kInvalidArgument, "an engine needs a backend");
  EngineOptions resolved = options;
  const std::int64_t longest = backend->config().max_context;
  if (resolved.context_tokens == 0) resolved.context_tokens = std::min(longest, kMaxContext);
  if (resolved.context_tokens < 2 || resolved.context_tokens > longest) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a context of {} tokens; expected 2 to {}, the model's own",
                            resolved.context_tokens, longest));
  }
  GPTOSS_CHECK_OK(CheckAtLeastOne("prefill_chunk", resolved.prefill_chunk));
  GPTOSS_CHECK_OK(CheckAtLeastOne("stream_capacity", static_cast<std::int64_t>(resolved.stream_capacity)));
  GPTOSS_CHECK_OK(CheckAtLeastOne("max_active", static_cast<std::int64_t>(resolved.max_active)));
  resolved.prefill_chunk = std::min(resolved.prefill_chunk, backend->max_batch_rows());
  resolved.max_active =
      std::min({resolved.max_active, static_cast<std::size_t>(backend->max_batch_rows()), kMaxUnfinished});
  try {
    auto engine = std::make_unique<ThreadedEngine>(std::move(backend), resolved);
    GPTOSS_CHECK_OK(engine->StartThread());
    return engine;
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted, "no memory for the engine's buffers; close other programs");
  }
}

}  // namespace gptoss
