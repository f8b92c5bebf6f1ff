#include "acp/keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <thread>
#include <utility>

namespace gptoss::acp {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

bool OnlyReads(const Json& params) {
  if (!params.is_object() || !params.contains("toolCall")) return false;
  const std::string kind = TextOf(params["toolCall"], "kind");
  return kind == "read" || kind == "search" || kind == "think";
}

// The first option of these kinds, the earlier kinds first.
std::optional<std::string> OptionOf(const Json& params, std::initializer_list<std::string_view> kinds) {
  const auto options = params.is_object() ? params.find("options") : params.end();
  if (!params.is_object() || options == params.end() || !options->is_array()) return std::nullopt;
  for (const std::string_view kind : kinds) {
    for (const Json& option : *options) {
      if (TextOf(option, "kind") == kind && !TextOf(option, "optionId").empty())
        return TextOf(option, "optionId");
    }
  }
  return std::nullopt;
}

}  // namespace

std::function<std::optional<std::string>(const Json& params)> AnswerBy(PermissionPolicy policy) {
  return [policy](const Json& params) {
    const bool allowed = policy == PermissionPolicy::kAllow ||
                         (policy == PermissionPolicy::kAllowReading && OnlyReads(params));
    return allowed ? OptionOf(params, {"allow_once"}) : OptionOf(params, {"reject_once", "reject_always"});
  };
}

int AgentKeeper::starts() const {
  std::lock_guard lock(mutex_);
  return starts_;
}

// The pause before the next start, and the end of starts.
Status AgentKeeper::WaitForTurn(const CancelToken& cancel) {
  Clock::time_point next;
  {
    std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    while (!recent_.empty() && now - recent_.front() > policy_.window) recent_.pop_front();
    if (recent_.empty()) return {};
    const auto restarts = static_cast<int>(recent_.size()) - 1;
    if (restarts >= policy_.max_restarts) {
      const auto rest = std::chrono::ceil<std::chrono::seconds>(policy_.window - (now - recent_.front()));
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("{} has ended {} times; it is left alone for {} s. Run it by hand to see why",
                              config_.argv.front(), recent_.size(), rest.count()));
    }
    std::chrono::milliseconds pause = policy_.first_pause;
    for (int i = 0; i < restarts && pause < policy_.longest_pause; ++i) pause *= 2;
    next = recent_.back() + std::min(pause, policy_.longest_pause);
  }
  while (Clock::now() < next) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
    std::this_thread::sleep_for(std::min<Clock::duration>(20ms, next - Clock::now()));
  }
  return {};
}

Result<std::shared_ptr<Client>> AgentKeeper::Get(const CancelToken& cancel) {
  std::unique_lock starting(starting_, std::defer_lock);
  while (!starting.try_lock_for(20ms)) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
  }
  std::shared_ptr<Client> before;
  {
    std::lock_guard lock(mutex_);
    if (client_ && client_->running()) return client_;
    before = std::move(client_);
  }
  before.reset();  // ends one that hangs, if nobody else has it
  GPTOSS_CHECK_OK(WaitForTurn(cancel));
  {
    std::lock_guard lock(mutex_);
    recent_.push_back(Clock::now());
    ++starts_;
  }
  GPTOSS_TRY(std::shared_ptr<Client> client, Client::Start(config_, cancel));
  std::lock_guard lock(mutex_);
  client_ = client;
  return client;
}

}  // namespace gptoss::acp
