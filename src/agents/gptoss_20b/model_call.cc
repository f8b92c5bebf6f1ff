#include "agents/gptoss_20b/model_call.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "agents/ids.h"

namespace gptoss::agents {
namespace {

using namespace std::chrono_literals;
using Channel = StreamChunk::Channel;

// Shared with the callbacks, which may outlive the wait of a turn that is refused.
class Call {
 public:
  Call(TurnSink* sink, const ModelCallOptions& options)
      : sink_(options.silent ? nullptr : sink),
        show_reasoning_(options.show_reasoning),
        on_answer_(options.on_answer) {}

  void Chunk(const StreamChunk& chunk) {
    {
      std::lock_guard lock(mutex_);
      begun_ = true;
    }
    if (on_answer_ && chunk.channel == Channel::kFinal && !chunk.text.empty()) on_answer_(chunk.text);
    if (sink_ == nullptr || chunk.text.empty() || chunk.channel == Channel::kToolCall) return;
    if (chunk.channel == Channel::kAnalysis && !show_reasoning_) return;
    auto& id = ids_[{chunk.channel, chunk.message_id}];
    if (id.empty()) id = NewId("msg");
    sink_->Emit(acp::MessageChunk{
        .kind = chunk.channel == Channel::kAnalysis ? acp::MessageKind::kThought : acp::MessageKind::kAgent,
        .message_id = id,
        .text = chunk.text});
  }
  void Done(const StreamDone& done) {
    {
      std::lock_guard lock(mutex_);
      done_ = done;
    }
    ended_.notify_all();
  }
  // nullopt: not yet.
  std::optional<StreamDone> WaitFor(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, patience, [&] { return done_.has_value(); });
    return done_;
  }
  bool begun() const {
    std::lock_guard lock(mutex_);
    return begun_;
  }

 private:
  TurnSink* const sink_;
  const bool show_reasoning_;
  const std::function<void(const std::string&)> on_answer_;
  std::map<std::pair<Channel, std::int32_t>, std::string> ids_;  // on the provider's thread
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<StreamDone> done_;
  bool begun_ = false;
};

// Says how far the model is, while it is not there: at most once a second, and only news.
class LoadingTeller {
 public:
  LoadingTeller(GptOssAgentProvider& provider, TurnSink* sink) : provider_(provider), sink_(sink) {}
  void Look() {
    if (sink_ == nullptr || std::chrono::steady_clock::now() < next_) return;
    next_ = std::chrono::steady_clock::now() + 1s;
    const Availability now = provider_.availability();
    if (now.state != ModelState::kLoading && now.state != ModelState::kDownloading) return;
    const std::string text =
        fmt::format("{} the model: {:.0f} %\n", now.state == ModelState::kLoading ? "Loading" : "Downloading",
                    100 * now.fraction);
    if (text == last_) return;
    last_ = text;
    if (id_.empty()) id_ = NewId("msg");
    sink_->Emit(acp::MessageChunk{.kind = acp::MessageKind::kThought, .message_id = id_, .text = text});
  }

 private:
  GptOssAgentProvider& provider_;
  TurnSink* const sink_;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + 1s;
  std::string last_, id_;
};

}  // namespace

StreamDone CallModel(GptOssAgentProvider& provider, const SessionId& session,
                     std::vector<harmony::Message> messages, const ModelCallOptions& options, TurnSink* sink,
                     const CancelToken& cancel) {
  StreamDone refused;
  if (cancel.cancelled()) {
    refused.end = TurnEnd::kCancelled;
    return refused;
  }
  const auto call = std::make_shared<Call>(sink, options);
  const Status started = provider.Stream(
      session, std::move(messages), options.stream, [call](const StreamChunk& chunk) { call->Chunk(chunk); },
      [call](const StreamDone& done) { call->Done(done); });
  if (!started) {
    refused.error = started.error();
    refused.explanation = started.error().message;
    return refused;
  }
  LoadingTeller loading(provider, options.silent ? nullptr : sink);
  bool told = false;
  while (true) {
    if (auto done = call->WaitFor(20ms)) return std::move(*done);
    if (!told && cancel.cancelled()) {
      told = true;
      provider.Cancel(session);
    }
    if (!call->begun() && !told) loading.Look();
  }
}

}  // namespace gptoss::agents
