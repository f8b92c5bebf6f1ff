// Keeps another agent running: started when somebody needs it, again when it has ended or hangs, with pauses
// that grow and an end to that. And answers to its questions by a policy.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "acp/client.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"

namespace gptoss::acp {

struct RestartPolicy {
  std::chrono::milliseconds first_pause{500}, longest_pause{30'000};  // doubled from one restart to the next
  int max_restarts = 5;                                               // within `window`
  std::chrono::milliseconds window{600'000};
};

// Safe from any thread.
class AgentKeeper {
 public:
  explicit AgentKeeper(ClientConfig config, RestartPolicy policy = {})
      : config_(std::move(config)), policy_(policy) {}

  // The running agent. Without one it is started, after a pause if it was started before within the window;
  // callers wait for each other. One that hangs is ended first, which may take seconds. Sessions of an agent
  // that has ended are gone: whoever had one loads or opens it anew. Errors: those of Client::Start,
  // kCancelled, kResourceExhausted (too many restarts: it says until when it is left alone).
  Result<std::shared_ptr<Client>> Get(const CancelToken& cancel);
  int starts() const;

 private:
  Status WaitForTurn(const CancelToken& cancel);

  const ClientConfig config_;
  const RestartPolicy policy_;
  std::timed_mutex starting_;  // held while an agent is looked after; before mutex_
  mutable std::mutex mutex_;
  std::shared_ptr<Client> client_;
  std::deque<std::chrono::steady_clock::time_point> recent_;  // starts within the window
  int starts_ = 0;
};

// What an agent may do unasked. Nothing is ever allowed or refused for longer than once where that can be
// chosen; a question without a fitting answer is cancelled.
enum class PermissionPolicy : std::uint8_t { kRefuse, kAllowReading, kAllow };
std::function<std::optional<std::string>(const Json& params)> AnswerBy(PermissionPolicy policy);

}  // namespace gptoss::acp
