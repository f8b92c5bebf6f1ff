#include "agents/gptoss_20b/install_offer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "agents/ids.h"
#include "platform/system.h"

namespace gptoss::agents {
namespace {

using namespace std::chrono_literals;
constexpr auto kOfferLook = 50ms, kTellEvery = 500ms;
constexpr const char* kInstall = "install";
constexpr const char* kNotNow = "not_now";
// How the licence was accepted, for the record.
constexpr const char* kAcknowledgedBy = "accepted in the client of gptoss acp";

std::string Size(std::uint64_t bytes) {
  if (bytes < 1'000'000'000) return fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6);
  return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
}

std::string TimeLeft(double seconds) {
  if (seconds < 0) return "";
  if (seconds < 60) return fmt::format(", {:.0f} s left", std::ceil(seconds));
  return fmt::format(", {:.0f} min left", std::ceil(seconds / 60));
}

void Say(TurnSink& sink, std::string text) {
  sink.Emit(acp::MessageChunk{
      .kind = acp::MessageKind::kAgent, .message_id = NewId("msg"), .text = std::move(text)});
}

// A download at work, on a thread of its own.
class Download {
 public:
  Download(GptOssAgentProvider& provider, std::string acknowledged_by, CancelToken cancel) {
    thread_ = std::thread([this, &provider, acknowledged_by = std::move(acknowledged_by), cancel] {
      NameThisThread("gptoss-install");
      Status status;
      try {
        status = provider.Install(acknowledged_by, cancel);
      } catch (const std::exception& error) {  // of a library: one download fails, the program goes on
        status = Fail(ErrorCode::kInternal, fmt::format("the download failed: {}", error.what()));
      }
      const std::lock_guard lock(mutex_);
      result_ = std::move(status);
      ended_.notify_all();
    });
  }
  ~Download() { thread_.join(); }
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  // nullopt: it still runs.
  std::optional<Status> WaitFor(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, patience, [&] { return result_.has_value(); });
    return result_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<Status> result_;
  std::thread thread_;
};

// The download as a call of a tool, from the question to its end.
class Offer {
 public:
  Offer(const PooledModel& model, std::string name, const CancelToken& cancel, TurnSink& sink)
      : model_(model), name_(std::move(name)), cancel_(cancel), sink_(sink) {}

  std::optional<TurnOutcome> Ask(const Availability& state, const InstallFacts& facts) {
    const std::string size = state.download_bytes == 0 ? "" : Size(state.download_bytes) + ", ";
    Begin(fmt::format("Install {} ({}{})", name_, size, facts.licence));
    call_.content = {acp::ToolText{fmt::format("{}.\n\n{}", state.reason, facts.details)}};
    sink_.Emit(call_);
    const acp::PermissionOutcome outcome = sink_.Ask(
        call_,
        {{kInstall, "Accept the licence and install", "allow_once"}, {kNotNow, "Not now", "reject_once"}});
    using Kind = acp::PermissionOutcome::Kind;
    if (outcome.kind == Kind::kCancelled) return Cancelled();
    if (outcome.kind == Kind::kSelected && outcome.option == kInstall) return Run(kAcknowledgedBy);
    End(acp::ToolStatus::kFailed, "not installed");
    Say(sink_,
        fmt::format("{} is not installed, so nobody answers. Ask again to install it here, run "
                    "'gptoss install {}' in a terminal, or choose another model: 'demo' is a toy to try "
                    "things with.\n",
                    name_, name_));
    return TurnOutcome{};
  }

  // Of another session.
  std::optional<TurnOutcome> Join() {
    Begin(fmt::format("Install {}", name_));
    sink_.Emit(call_);
    return Run("");
  }

 private:
  void Begin(std::string title) {
    call_.id = NewId("call");
    call_.creates = true;
    call_.title = std::move(title);
    call_.kind = acp::ToolKind::kFetch;
    call_.status = acp::ToolStatus::kPending;
  }
  void End(acp::ToolStatus status, std::string text) {
    sink_.Emit(
        acp::ToolCall{.id = call_.id, .status = status, .content = {{acp::ToolText{std::move(text)}}}});
  }
  std::optional<TurnOutcome> Cancelled() {
    End(acp::ToolStatus::kFailed, "cancelled; what has come is kept");
    return TurnOutcome{.reason = acp::StopReason::kCancelled, .error = std::nullopt};
  }

  std::optional<TurnOutcome> Run(std::string acknowledged_by) {
    sink_.Emit(acp::ToolCall{.id = call_.id, .status = acp::ToolStatus::kInProgress});
    Download download(*model_.provider, std::move(acknowledged_by), cancel_);
    std::optional<Status> result;
    while (!(result = download.WaitFor(kOfferLook))) Tell();
    if (*result) {
      End(acp::ToolStatus::kCompleted, fmt::format("{} is installed", name_));
      return std::nullopt;
    }
    if (cancel_.cancelled()) return Cancelled();
    const Error& error = result->error();
    End(acp::ToolStatus::kFailed, error.message);
    Say(sink_, fmt::format("{} could not be installed: {}. What has come is kept; ask again to go on.\n",
                           name_, error.message));
    return TurnOutcome{};
  }

  void Tell() {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < kTellEvery) return;
    told_ = now;
    const Availability state = model_.provider->availability();
    if (state.state != ModelState::kDownloading) return;
    std::string text = state.download_bytes == 0
                           ? "Looking what has to be fetched"
                           : fmt::format("{:.0f} % of {}{}", std::floor(100 * state.fraction),
                                         Size(state.download_bytes), TimeLeft(state.eta_seconds));
    if (!state.reason.empty()) text += "\n" + state.reason;
    if (text == last_) return;
    last_ = text;
    sink_.Emit(
        acp::ToolCall{.id = call_.id, .content = {{acp::ToolText{std::move(text)}}}, .transient = true});
  }

  const PooledModel& model_;
  const std::string name_;
  const CancelToken& cancel_;
  TurnSink& sink_;
  acp::ToolCall call_;
  std::chrono::steady_clock::time_point told_{};
  std::string last_;
};

}  // namespace

std::optional<TurnOutcome> MakeInstalled(const PooledModel& model, const std::string& name,
                                         const CancelToken& cancel, TurnSink& sink) {
  Availability state = model.provider->availability();
  // Somebody may have installed it in a terminal meanwhile, or a policy may have changed.
  if (state.state == ModelState::kNotInstalled || state.state == ModelState::kUnavailable)
    state = model.provider->Refresh();
  if (state.state == ModelState::kDownloading) return Offer(model, name, cancel, sink).Join();
  if (state.state == ModelState::kNotInstalled && model.install)
    return Offer(model, name, cancel, sink).Ask(state, *model.install);
  if (state.state != ModelState::kNotInstalled && state.state != ModelState::kUnavailable)
    return std::nullopt;
  Say(sink, fmt::format(
                "The model cannot answer yet: {}. {}\n",
                state.reason.empty() ? "it is not installed" : state.reason,
                state.advice.empty() ? "Run 'gptoss install' in a terminal, then ask again." : state.advice));
  return TurnOutcome{};
}

}  // namespace gptoss::agents
