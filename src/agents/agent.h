// What answers a turn in a session. Modes of a session are agents.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "acp/types.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "harmony/conversation.h"

namespace gptoss::agents {

// What a session lets its user choose. Changed by the face at any moment, read anew before each call of the
// model. Safe from any thread.
struct Choices {
  std::string model;  // as the model pool knows it
  harmony::ReasoningEffort effort = harmony::ReasoningEffort::kMedium;
  std::optional<double> temperature = {};  // none: nobody chose, and the model's own is in force
  double usual_temperature = 0.7;          // of models that have none of their own
  bool tools = true;
  bool show_reasoning = true;
};
class SharedChoices {
 public:
  explicit SharedChoices(Choices choices) : choices_(std::move(choices)) {}
  Choices Get() const {
    std::lock_guard lock(mutex_);
    return choices_;
  }
  void Set(const Choices& choices) {
    std::lock_guard lock(mutex_);
    choices_ = choices;
  }

 private:
  mutable std::mutex mutex_;
  Choices choices_;
};

// A command in a terminal of the client. Destroying it gives the terminal back, which ends what runs in it.
// Used by one thread.
class ClientTerminal {
 public:
  virtual ~ClientTerminal() = default;
  virtual const std::string& id() const = 0;
  // nullopt: it still runs after `patience`, or the turn was cancelled.
  virtual Result<std::optional<acp::TerminalExit>> WaitForExit(std::chrono::milliseconds patience) = 0;
  // Ends the command and waits a moment for that, in a cancelled turn too; nullopt: the client has not said.
  virtual std::optional<acp::TerminalExit> Kill() = 0;
  virtual Result<acp::TerminalOutput> Output() = 0;  // in a cancelled turn too
};

// Where a turn's updates go and its questions are answered: a face. Called on the turn's thread and on those
// of the provider, one at a time.
class TurnSink {
 public:
  virtual ~TurnSink() = default;
  virtual const acp::ClientTraits& client() const = 0;
  // In order. Waits while the reader is slow.
  virtual void Emit(const acp::Update& update) = 0;
  // Waits for the user's answer; kCancelled as soon as the turn is.
  virtual acp::PermissionOutcome Ask(const acp::ToolCall& call,
                                     const std::vector<acp::PermissionOption>& options) = 0;
  // A file as the user's editor has it, with changes that are not saved. Errors: kUnsupported (the client did
  // not offer that), kCancelled, those of the client.
  virtual Result<std::string> ReadThroughClient(const std::string& path) = 0;
  // Whole UTF-8. Errors as above; after kDeadlineExceeded it may have been written all the same.
  virtual Status WriteThroughClient(const std::string& path, std::string_view text) = 0;
  // Errors: kUnsupported (the client did not offer terminals), kCancelled, those of the client.
  virtual Result<std::unique_ptr<ClientTerminal>> OpenTerminal(const acp::TerminalCommand& command) = 0;
  // Waits for the user's answer. kFailed where the client did not offer forms.
  virtual acp::FormOutcome AskForm(const acp::Form& form) = 0;
  // The trace that the turn belongs to, as `_meta` of what is asked for it; null: none.
  virtual Json trace_context() const = 0;
  // A setting of the session that a command of the user changes. kInvalidArgument: what is allowed.
  virtual Status Choose(std::string_view option, std::string_view value) = 0;
};

struct Turn {
  std::vector<acp::ContentBlock> prompt;
  CancelToken cancel;
};
struct TurnOutcome {
  acp::StopReason reason = acp::StopReason::kEndTurn;
  std::optional<Error> error;  // then `reason` means nothing
};

// What an agent is given when it is put into a session. The conversation and permissions are kept through
// functions, so that agents know no database.
struct SessionContext {
  std::string id;
  std::string folder;
  std::vector<std::string> more_folders;
  std::vector<acp::McpServer> mcp_servers;
  std::shared_ptr<const SharedChoices> choices;
  harmony::Conversation conversation;                // of an earlier life of the session
  bool interrupted = false;                          // its last turn did not end
  std::uint64_t context_used = 0, context_size = 0;  // tokens, as last told; 0: never
  std::function<void(const harmony::Conversation&)> save;
  std::function<bool(std::string_view rule)> allowed;  // permissions given for ever in this project
  std::function<void(std::string_view rule)> allow;
  std::function<std::vector<std::string>()> rules;  // all that is kept for ever in this project
  std::function<void()> forget_rules;
};

// One session's side of an agent. Prompt is called by one thread at a time; the rest from any thread.
class AgentSession {
 public:
  virtual ~AgentSession() = default;
  // Ends soon after `turn.cancel`; nothing is emitted after it returns.
  virtual TurnOutcome Prompt(const Turn& turn, TurnSink& sink) = 0;
  // A title for what was said so far, made by the model; "" if it has none to give. Not beside Prompt.
  virtual std::string MakeTitle(const CancelToken& cancel) = 0;
};

// Safe from any thread.
class Agent {
 public:
  virtual ~Agent() = default;
  virtual acp::Mode mode() const = 0;  // id, name and what it is
  // Why it cannot run here and what to do; "" if it can. Cheap.
  virtual std::string Unavailable() const = 0;
  virtual std::vector<acp::Command> commands() const = 0;
  virtual Result<std::unique_ptr<AgentSession>> Open(SessionContext context) = 0;
};

// The agents of the program, in the order of their adding; the first is the default.
class AgentRegistry {
 public:
  void Add(std::unique_ptr<Agent> agent) { agents_.push_back(std::move(agent)); }
  const std::vector<std::unique_ptr<Agent>>& agents() const { return agents_; }
  Agent* Find(std::string_view id) const {
    for (const auto& agent : agents_) {
      if (agent->mode().id == id) return agent.get();
    }
    return nullptr;
  }

 private:
  std::vector<std::unique_ptr<Agent>> agents_;
};

}  // namespace gptoss::agents
