#include "provider/agent_provider.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "platform/system.h"
#include "provider/hub_source.h"
#include "provider/model_keeper.h"
#include "provider/session.h"
#include "provider/stream_mapper.h"

namespace gptoss {
namespace {

std::string Timestamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:03}Z", std::string_view(text, length), ms);
}

class Provider final : public GptOssAgentProvider {
 public:
  Provider(ProviderOptions options, std::unique_ptr<ModelSource> source)
      : options_(std::move(options)),
        telemetry_(options_.telemetry),
        keeper_(options_, std::move(source), telemetry_, [this] { CancelAll(); }) {}

  ~Provider() override {
    monitor_.reset();
    if (preloader_.joinable()) {
      preload_cancel_.Cancel();
      preloader_.join();
    }
    std::map<SessionId, std::shared_ptr<Session>> sessions;
    std::vector<std::shared_ptr<Session>> ended;
    {
      std::lock_guard lock(mutex_);
      sessions.swap(sessions_);
      ended.swap(ended_);
    }
    for (const auto& [id, session] : sessions) session->Close();
    sessions.clear();  // joins
    ended.clear();
  }
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  Status StartThreads() {
    try {
      if (auto source = options_.pressure_source ? options_.pressure_source() : nullptr) {
        monitor_ = std::make_unique<MemoryPressureMonitor>(std::move(source));
        monitor_->AddListener([this](MemoryPressure level) { keeper_.OnMemoryPressure(level); });
      }
      if (!options_.preload) return {};
      preloader_ = std::thread([this] { static_cast<void>(Load(std::nullopt, preload_cancel_.token())); });
    } catch (const std::system_error& error) {
      return Fail(ErrorCode::kResourceExhausted, fmt::format("cannot start a thread: {}", error.what()));
    }
    return {};
  }

  Availability availability() const override { return keeper_.availability(); }
  Availability Refresh() override { return keeper_.Refresh(); }
  int Observe(Observer observer) override { return keeper_.notifier().Observe(std::move(observer)); }
  void StopObserving(int number) override { keeper_.notifier().StopObserving(number); }
  Status Load(std::optional<std::string> path, CancelToken cancel) override {
    GPTOSS_TRY(const ModelKeeper::Lease lease, keeper_.Acquire(path, cancel));
    return {};
  }
  void Unload(PressurePolicy turns) override { keeper_.Unload(turns); }
  Status Install(const std::string& acknowledged_by, CancelToken cancel) override {
    return keeper_.Install(acknowledged_by, cancel);
  }
  void OnMemoryPressure(MemoryPressure pressure) override { keeper_.OnMemoryPressure(pressure); }
  MemoryWatermark memory() const override { return keeper_.memory(); }
  MetricsSnapshot metrics() const override { return telemetry_.metrics(); }
  ModelFacts model() const override { return keeper_.facts(); }
  std::string telemetry_problem() const override { return telemetry_.problem(); }

  Result<SessionId> StartSession(const SessionOptions& options) override {
    const auto effort = options.effort ? options.effort : options_.effort;
    return Add(NewConversation(options, effort.value_or(harmony::ReasoningEffort::kMedium)));
  }
  Result<SessionId> Resume(const harmony::Conversation& snapshot) override {
    if (snapshot.messages.empty() || snapshot.messages.front().role != harmony::Role::kSystem) {
      return Fail(ErrorCode::kInvalidArgument,
                  "a conversation begins with a system message; give what Snapshot gave");
    }
    return Add(snapshot);
  }
  Result<SessionInfo> Resume(const SessionId& id) override {
    GPTOSS_TRY(const std::shared_ptr<Session> session, Find(id));
    session->ClearInterruption();
    return session->Info();
  }
  Result<harmony::Conversation> Snapshot(const SessionId& id) const override {
    GPTOSS_TRY(const std::shared_ptr<Session> session, Find(id));
    return session->Snapshot();
  }
  Result<SessionInfo> Info(const SessionId& id) const override {
    GPTOSS_TRY(const std::shared_ptr<Session> session, Find(id));
    return session->Info();
  }
  void EndSession(const SessionId& id) override {
    std::shared_ptr<Session> session;
    {
      std::lock_guard lock(mutex_);
      const auto found = sessions_.find(id);
      if (found == sessions_.end()) return;
      session = std::move(found->second);
      sessions_.erase(found);
    }
    session->Close();
    // Its own callback may have called: it is joined by somebody else, later.
    std::vector<std::shared_ptr<Session>> finished;
    std::lock_guard lock(mutex_);
    ended_.push_back(std::move(session));
    Reap(finished);
  }

  Status Stream(const SessionId& id, std::string prompt, const StreamOptions& options, OnChunk on_chunk,
                OnDone on_done) override {
    return Stream(id, std::vector<harmony::Message>{harmony::UserMessage(std::move(prompt))}, options,
                  std::move(on_chunk), std::move(on_done));
  }
  Status Stream(const SessionId& id, std::vector<harmony::Message> messages, const StreamOptions& options,
                OnChunk on_chunk, OnDone on_done) override {
    if (messages.empty()) return Fail(ErrorCode::kInvalidArgument, "a turn needs at least one message");
    if (options.max_tokens < 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("max_tokens is {}; expected 0 (no limit) or more", options.max_tokens));
    }
    GPTOSS_CHECK_OK(CheckStopStrings(options.stop));
    GPTOSS_CHECK_OK(ValidateSampling(Sampling(options)));
    GPTOSS_TRY(const std::shared_ptr<Session> session, Find(id));
    telemetry_.SetActive(++active_);
    auto submitted = session->Submit({.messages = std::move(messages),
                                      .options = options,
                                      .on_chunk = std::move(on_chunk),
                                      .on_done = std::move(on_done),
                                      .cancel = {}});
    if (!submitted) telemetry_.SetActive(--active_);
    return submitted;
  }
  void Cancel(const SessionId& id) override {
    if (const auto session = Find(id)) (*session)->Cancel();
  }

 private:
  SamplingOptions Sampling(const StreamOptions& options) const {
    SamplingOptions sampling;
    sampling.temperature = options.temperature.value_or(options_.temperature);
    sampling.top_p = options.top_p.value_or(options_.top_p);
    sampling.top_k = options.top_k.value_or(options_.top_k);
    sampling.min_p = options.min_p.value_or(options_.min_p);
    sampling.seed = options.seed ? options.seed : options_.seed;
    return sampling;
  }

  Result<SessionId> Add(harmony::Conversation conversation) {
    std::vector<std::shared_ptr<Session>> finished;  // destroyed, and so joined, without the lock
    std::lock_guard lock(mutex_);
    Reap(finished);
    if (sessions_.size() >= options_.max_sessions) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("{} sessions are open already; end one", options_.max_sessions));
    }
    const SessionId id = fmt::format("s{}", next_++);
    sessions_.emplace(id, std::make_shared<Session>(
                              id, std::move(conversation),
                              [this](const SessionId& session, harmony::Conversation& history, TurnJob& job) {
                                Run(session, history, job);
                              },
                              options_.max_waiting_turns));
    return id;
  }
  Result<std::shared_ptr<Session>> Find(const SessionId& id) const {
    std::lock_guard lock(mutex_);
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no session {}; start one", id));
    }
    return found->second;
  }
  // Ended sessions whose threads have nothing to do any more. With mutex_ held.
  void Reap(std::vector<std::shared_ptr<Session>>& finished) {
    std::erase_if(ended_, [&](std::shared_ptr<Session>& session) {
      if (!session->idle()) return false;
      finished.push_back(std::move(session));
      return true;
    });
  }
  void CancelAll() {
    std::vector<std::shared_ptr<Session>> all;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [id, session] : sessions_) all.push_back(session);
    }
    for (const auto& session : all) session->Cancel();
  }

  // One turn, on its session's thread.
  void Run(const SessionId& id, harmony::Conversation& history, TurnJob& job);
  static void Keep(const StreamOptions& options, const TurnResult& result, harmony::Conversation&& asked,
                   harmony::Conversation& history);
  void Remember(const StreamDone& done, const TurnResult& result);

  const ProviderOptions options_;
  Telemetry telemetry_;
  std::atomic<std::uint64_t> active_{0};
  mutable std::mutex mutex_;
  std::map<SessionId, std::shared_ptr<Session>> sessions_;
  std::vector<std::shared_ptr<Session>> ended_;
  std::uint64_t next_ = 1;
  CancelSource preload_cancel_;
  std::thread preloader_;
  ModelKeeper keeper_;
  std::unique_ptr<MemoryPressureMonitor> monitor_;
};

void Provider::Run(const SessionId& id, harmony::Conversation& history, TurnJob& job) {
  TurnResult result;
  StreamDone done;
  StreamMapper mapper(job.options, job.on_chunk, job.cancel);
  if (auto lease = keeper_.Acquire(std::nullopt, job.cancel.token())) {
    lease->KeepAlive(job.options.keep_alive);
    harmony::Conversation conversation = history;
    if (job.options.effort) SetEffort(conversation, *job.options.effort);
    if (job.options.tools) SetTools(conversation, *job.options.tools);
    for (harmony::Message& message : job.messages) conversation.messages.push_back(std::move(message));
    TurnOptions options;
    options.sampling = Sampling(job.options);
    options.max_tokens = job.options.max_tokens > 0 ? job.options.max_tokens : options_.max_tokens;
    options.conversation_key = id;
    options.cancel = job.cancel.token();
    result = lease->model().RunTurn(
        conversation, options, [&](const harmony::ParserEvent& event, const harmony::StreamParser& parser) {
          mapper.Event(event, parser);
        });
    done = mapper.Finish(result);
    done.usage.context_tokens = lease->model().engine().context_tokens();
    Keep(job.options, result, std::move(conversation), history);
  } else {
    const Error& error = lease.error();
    result.end = error.code == ErrorCode::kCancelled ? TurnEnd::kCancelled : TurnEnd::kError;
    result.explanation = result.end == TurnEnd::kCancelled ? "the turn was cancelled" : error.message;
    result.stats.error = error;
    done = mapper.Finish(result);
  }
  Remember(done, result);
  job.on_done(done);
}

// A request that was refused leaves the conversation as it was, so that it can be put differently.
void Provider::Keep(const StreamOptions& options, const TurnResult& result, harmony::Conversation&& asked,
                    harmony::Conversation& history) {
  if (result.end == TurnEnd::kError) return;
  if (options.keep_unanswered || result.end == TurnEnd::kAnswer) {
    AppendTurn(result, asked);
  } else if (result.answer.empty()) {
    return;
  } else {  // cut short: as far as its reader saw it
    asked.messages.push_back(harmony::AssistantMessage("final", result.answer));
  }
  history = std::move(asked);
}

void Provider::Remember(const StreamDone& done, const TurnResult& result) {
  GenerationRecord record;
  record.time = Timestamp();
  record.model_hash = keeper_.model_hash();
  record.prompt_tokens = done.usage.prompt_tokens;
  record.cached_tokens = done.usage.cached_tokens;
  record.generated_tokens = done.usage.generated_tokens;
  record.first_token_ms = done.usage.first_token_ms;
  record.tokens_per_second = done.usage.tokens_per_second;
  record.peak_memory_bytes = PeakResidentMemory();
  record.cancelled = done.end == TurnEnd::kCancelled;
  record.repaired = done.repaired;
  record.stop_reason = done.stop_reason;
  telemetry_.Record(record, result.stats.decode_seconds, done.end == TurnEnd::kError);
  if (options_.log) {
    options_.log(LogLevel::kDebug,
                 fmt::format("a turn ended by {}: {} prompt tokens, {} generated", record.stop_reason,
                             record.prompt_tokens, record.generated_tokens));
  }
  telemetry_.SetActive(--active_);
}

}  // namespace

std::string PrometheusText(const GptOssAgentProvider& provider) {
  const MemoryWatermark memory = provider.memory();
  return PrometheusText(provider.metrics(), memory.weights, memory.kv, memory.scratch, memory.resident,
                        provider.availability().state == ModelState::kReady);
}

Result<std::unique_ptr<GptOssAgentProvider>> GptOssAgentProvider::Create(
    ProviderOptions options, std::unique_ptr<ModelSource> source) {
  if (options.buffer_chunks == 0 || options.max_waiting_turns == 0 || options.max_sessions == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "buffer_chunks, max_waiting_turns and max_sessions are at least 1");
  }
  SamplingOptions sampling;
  sampling.temperature = options.temperature;
  sampling.top_p = options.top_p;
  sampling.top_k = options.top_k;
  sampling.min_p = options.min_p;
  GPTOSS_CHECK_OK(ValidateSampling(sampling));
  if (source == nullptr) {
    GPTOSS_TRY(source, DefaultModelSource(options.model));
  }
  try {
    auto provider = std::make_unique<Provider>(std::move(options), std::move(source));
    GPTOSS_CHECK_OK(provider->StartThreads());
    return provider;
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kResourceExhausted, fmt::format("cannot start a thread: {}", error.what()));
  }
}

}  // namespace gptoss
