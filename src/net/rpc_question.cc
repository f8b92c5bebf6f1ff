#include "net/rpc_question.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace gptoss::net {
namespace {

constexpr auto kLookAtToken = std::chrono::milliseconds(20);
constexpr int kGivenUp = -32800;

}  // namespace

struct RpcQuestion::State {
  std::mutex mutex;
  std::condition_variable came;
  std::optional<RpcReply> reply;
  bool given_up = false;
  OnLate on_late;
};

RpcQuestion::RpcQuestion(RpcConnection& connection, std::string_view method, Json params, const RpcPace& pace,
                         OnLate on_late)
    : connection_(connection), state_(std::make_shared<State>()) {
  state_->on_late = std::move(on_late);
  const auto on_reply = [state = state_](RpcReply reply) {
    std::unique_lock lock(state->mutex);
    if (!state->given_up) {
      state->reply = std::move(reply);
      lock.unlock();
      state->came.notify_all();
      return;
    }
    lock.unlock();
    if (state->on_late) state->on_late(reply);
  };
  id_ = connection_.Call(method, std::move(params), on_reply, pace);
}

RpcQuestion::End RpcQuestion::WaitFor(std::optional<std::chrono::milliseconds> patience,
                                      const CancelToken& cancel) const {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(state_->mutex);
  while (!state_->reply) {
    if (cancel.cancelled()) return End::kCancelled;
    auto pause = kLookAtToken;
    if (patience) {
      const auto left = *patience - std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::steady_clock::now() - begin);
      if (left.count() <= 0) return End::kLate;
      pause = std::min(pause, left);
    }
    state_->came.wait_for(lock, pause);
  }
  return End::kAnswered;
}

bool RpcQuestion::GiveUp() const {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->reply) return false;
    state_->given_up = true;
  }
  if (!state_->on_late) connection_.Abandon(id_, kGivenUp, "given up");
  return true;
}

RpcReply RpcQuestion::Take() const {
  std::lock_guard lock(state_->mutex);
  return std::move(state_->reply).value_or(std::unexpected(RpcError{}));
}

}  // namespace gptoss::net
