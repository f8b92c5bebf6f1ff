// One conversation and the turns that are asked for in it, one after the other.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "provider/agent_provider.h"

namespace gptoss {

// One turn as it was asked for.
struct TurnJob {
  std::vector<harmony::Message> messages;
  StreamOptions options;
  OnChunk on_chunk;
  OnDone on_done;
  CancelSource cancel;
};

// Safe from any thread. A thread of its own while there are turns to run.
class Session {
 public:
  // Runs one turn on the session's thread: `history` with the turn's messages at its end, and what comes of
  // it is put behind them.
  using Runner = std::function<void(const SessionId&, harmony::Conversation& history, TurnJob&)>;

  Session(SessionId id, harmony::Conversation history, Runner run, std::size_t max_waiting);
  ~Session();  // cancels and joins; not from one of its own callbacks
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Status Submit(TurnJob job);
  // The running turn and all that wait. Their on_done is still called.
  void Cancel();
  // No more turns; a session that ends itself from a callback is destroyed later.
  void Close();
  bool idle() const;  // nothing runs or waits
  SessionInfo Info() const;
  harmony::Conversation Snapshot() const;  // of finished turns
  void ClearInterruption();

 private:
  void Work();
  const SessionId id_;
  const Runner run_;
  const std::size_t max_waiting_;
  mutable std::mutex mutex_;
  harmony::Conversation history_;
  std::deque<std::shared_ptr<TurnJob>> waiting_;
  std::shared_ptr<TurnJob> running_;
  bool interrupted_ = false, closed_ = false, working_ = false;
  std::thread thread_;
};

// The system message's effort and the developer message's instructions and tools of a conversation, made or
// changed.
void SetEffort(harmony::Conversation& conversation, harmony::ReasoningEffort effort);
void SetTools(harmony::Conversation& conversation, harmony::ToolNamespace tools);
harmony::Conversation NewConversation(const SessionOptions& options, harmony::ReasoningEffort effort);

}  // namespace gptoss
