// A session that a client has open: its queue of work, the thread that does it, and where its updates go.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "acp/connection.h"
#include "acp/types.h"
#include "agents/acp_face/client_calls.h"
#include "agents/acp_face/options.h"
#include "agents/agent.h"
#include "agents/model_pool.h"
#include "sessions/store.h"

namespace gptoss::agents {

// What all sessions of a connection share. Outlives them.
struct FaceContext {
  acp::Connection* connection = nullptr;
  SessionStore* store = nullptr;
  AgentRegistry* registry = nullptr;
  ModelPool* pool = nullptr;
  bool make_titles = true;
  std::string trouble;       // with the store; every session begins with it
  acp::ClientTraits client;  // set by initialize, before the first session
};

// Safe from any thread, unless said otherwise.
class LiveSession final : public TurnSink {
 public:
  LiveSession(FaceContext& face, StoredSession stored, std::vector<acp::McpServer> mcp_servers,
              OptionState options);
  ~LiveSession() override;  // cancels everything and waits; not on its own thread
  LiveSession(const LiveSession&) = delete;
  LiveSession& operator=(const LiveSession&) = delete;

  const std::string& id() const { return id_; }
  // Before its first prompt, which tells it: why this session is not kept.
  void NotKept(const Error& error);

  // A prompt waits for those before it. `request`: the id that is answered. `trace`: of the trace it belongs
  // to; null: none. kResourceExhausted: too many wait.
  Status Prompt(Json request, std::vector<acp::ContentBlock> prompt, Json trace);
  // Other work, in the same queue: replay, the answer to a close.
  void Post(std::function<void()> work);
  // Starts what takes its time, such as MCP servers, before the first prompt.
  void StartAgent();
  void ReplayTranscript();  // in the queue
  void Refresh();           // in the queue: what another life of the session has left
  // The running prompt and those that wait; they answer `cancelled`. What comes later is not touched.
  void CancelPrompts();
  void CancelAll();  // other work too
  void CancelRequest(const Json& request);
  // No more work is taken; what is queued is done, then `last`, then its thread ends.
  void Finish(std::function<void()> last);
  void WaitUntilFinished();
  bool finished();

  // Options, changed by a request of the client. `as_mode`: by session/set_mode, which is told as an option.
  Status SetOption(std::string_view option, std::string_view value, bool as_mode);
  std::vector<acp::ConfigOption> Options() const;
  acp::Modes Modes() const;
  void SendCommands();

  // TurnSink
  const acp::ClientTraits& client() const override { return face_.client; }
  void Emit(const acp::Update& update) override;
  acp::PermissionOutcome Ask(const acp::ToolCall& call,
                             const std::vector<acp::PermissionOption>& options) override;
  Result<std::string> ReadThroughClient(const std::string& path) override;
  Status WriteThroughClient(const std::string& path, std::string_view text) override;
  Result<std::unique_ptr<ClientTerminal>> OpenTerminal(const acp::TerminalCommand& command) override;
  acp::FormOutcome AskForm(const acp::Form& form) override;
  Json trace_context() const override;
  Status Choose(std::string_view option, std::string_view value) override;

 private:
  struct Job {
    std::function<void()> work;  // or a prompt:
    Json request;
    std::vector<acp::ContentBlock> prompt;
    Json trace;
    std::size_t bytes = 0;  // of the prompt, about
    CancelSource cancel;
    bool is_prompt = false;
  };
  void Submit(std::shared_ptr<Job> job);
  void Cancel(bool prompts_only);
  void Work();
  void RunPrompt(Job& job);
  TurnOutcome RunTurn(Job& job);
  Status OpenAgent();
  void NameFromPrompt(const std::vector<acp::ContentBlock>& prompt);
  void NameByModel();
  void SetTitle(std::string title);
  void Store(bool touch);
  void Send(Json update, bool wait);
  void TellLoss(const Error& error);  // once a turn
  void TellTrouble();                 // once
  void Tell(std::string_view severity, std::string title, const std::string& text);
  Status Change(std::string_view option, std::string_view value, bool& mode_changed);
  CancelToken RunningToken() const;

  FaceContext& face_;
  const std::string id_;
  const ClientCalls calls_;
  const std::vector<acp::McpServer> mcp_servers_;
  std::shared_ptr<SharedChoices> choices_;

  mutable std::mutex state_mutex_;  // stored_, options
  StoredSession stored_;
  OptionState options_;

  std::mutex emit_mutex_;
  std::atomic<bool> loss_told_{false};

  mutable std::mutex queue_mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::shared_ptr<Job> running_;
  CancelSource idle_cancel_;  // of work on the side
  bool finishing_ = false, finished_ = false;
  std::function<void()> last_;
  std::thread thread_;

  // On the session's thread only.
  std::unique_ptr<AgentSession> agent_;
  std::string agent_mode_;
  std::string trouble_;  // with the store, to be told
  bool titled_by_model_ = false;
  bool interrupted_ = false;  // its last turn, in an earlier life, did not end
};

std::string IsoTime(std::int64_t ms);  // "2026-11-27T18:00:00.000Z"

}  // namespace gptoss::agents
