// A request to the other side, and its answer waited for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/cancel.h"
#include "base/json.h"
#include "net/json_rpc.h"

namespace gptoss::net {

// Asked when it is made. Used by one thread, which is not that of Run; the connection must outlive it.
class RpcQuestion {
 public:
  enum class End : std::uint8_t { kAnswered, kLate, kCancelled };
  // An answer that came after GiveUp. On the thread of Run, or inside Close.
  using OnLate = std::function<void(const RpcReply&)>;

  RpcQuestion(RpcConnection& connection, std::string_view method, Json params, const RpcPace& pace = {},
              OnLate on_late = {});

  // kLate: not within `patience` (nullopt: it takes what it takes). It may be called again.
  End WaitFor(std::optional<std::chrono::milliseconds> patience, const CancelToken& cancel = {}) const;
  // No answer is waited for any more. False: it has just come. The other side is not told: each protocol has
  // its own way.
  bool GiveUp() const;
  // Once, after kAnswered, or after GiveUp said false.
  RpcReply Take() const;
  std::int64_t id() const { return id_; }

 private:
  struct State;
  RpcConnection& connection_;
  const std::shared_ptr<State> state_;
  std::int64_t id_ = 0;
};

}  // namespace gptoss::net
