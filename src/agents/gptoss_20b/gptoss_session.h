// One session of the gptoss_20b agent: the loop of model and tools. Of this folder only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/agent.h"
#include "agents/gptoss_20b/gptoss_agent.h"
#include "agents/gptoss_20b/model_call.h"
#include "agents/mcp_tools.h"
#include "agents/model_pool.h"
#include "agents/toolbox.h"
#include "agents/workspace.h"

namespace gptoss::agents {

class GptOssSession final : public AgentSession {
 public:
  GptOssSession(ModelPool& pool, const GptOssAgentOptions& options, SessionContext context);
  ~GptOssSession() override;

  TurnOutcome Prompt(const Turn& turn, TurnSink& sink) override;
  std::string MakeTitle(const CancelToken& cancel) override;

 private:
  // The model that is chosen now, with the conversation in it. The error is for the reader.
  Status Attach();
  Result<harmony::Conversation> Conversation() const;
  void Replace(harmony::Conversation conversation);
  void Save();

  TurnOutcome Answer(std::string text, const CancelToken& cancel, TurnSink& sink);
  TurnOutcome Loop(std::vector<harmony::Message> messages, const CancelToken& cancel, TurnSink& sink);
  std::optional<TurnOutcome> EndOf(const StreamDone& done, TurnSink& sink);
  // Runs the calls; nullopt: go on with their results.
  std::optional<TurnOutcome> RunTools(const StreamDone& done, const CancelToken& cancel, TurnSink& sink,
                                      std::vector<harmony::Message>& results);
  ModelCallOptions CallOptions() const;
  void SendUsage(const StreamDone& done, TurnSink& sink);
  static void Say(TurnSink& sink, std::string text);

  // Commands; nullopt: the text is none of ours.
  std::optional<TurnOutcome> Command(const std::string& text, const CancelToken& cancel, TurnSink& sink);
  std::string StatusText() const;
  std::string Permissions(bool forget) const;
  Status Compact(const CancelToken& cancel, TurnSink& sink);
  // `on_text`: pieces of it, on the provider's thread.
  Result<std::string> Summary(const CancelToken& cancel,
                              const std::function<void(const std::string&)>& on_text);

  ModelPool& pool_;
  const GptOssAgentOptions options_;
  SessionContext context_;
  const Workspace workspace_;
  std::unique_ptr<Toolbox> toolbox_, few_tools_;
  McpServers mcp_servers_;
  const PooledModel* model_ = nullptr;
  SessionId session_;  // of the provider; "": none yet
  // Of the model's context: used after its last call, and in force then. 0: nobody has told yet.
  std::uint64_t used_, context_tokens_;
  int malformed_ = 0;  // calls in a row that could not be understood
  bool interrupted_ = false;
  bool full_ = false;  // the last prompt found no room
};

// What can be typed with a slash.
std::vector<acp::Command> SlashCommands();

// Calls at the end of a conversation that nobody answered, by name.
std::vector<std::string> UnansweredCalls(const harmony::Conversation& conversation);
// The conversation with old tool results cut and old turns left out until it has at most so many bytes.
harmony::Conversation Shortened(const harmony::Conversation& conversation, std::size_t max_bytes);

}  // namespace gptoss::agents
