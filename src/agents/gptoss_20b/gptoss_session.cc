#include "agents/gptoss_20b/gptoss_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agents/gptoss_20b/install_offer.h"
#include "agents/gptoss_20b/prompt_text.h"
#include "agents/ids.h"

namespace gptoss::agents {
namespace {

using acp::StopReason;
constexpr int kMaxMalformed = 3;
constexpr std::string_view kInterrupted = "(The user interrupted your previous turn before it ended.)\n\n";
// Beyond this part of the context the conversation is compacted before the next prompt.
constexpr double kFullAt = 0.85;

class GptOssAgent final : public Agent {
 public:
  GptOssAgent(ModelPool& pool, const GptOssAgentOptions& options) : pool_(pool), options_(options) {}
  acp::Mode mode() const override {
    return {.id = "gptoss_20b", .name = "GPT-OSS", .description = "GPT-OSS 20B on this machine, with tools"};
  }
  std::string Unavailable() const override { return pool_.Unavailable(); }
  std::vector<acp::Command> commands() const override { return SlashCommands(); }
  Result<std::unique_ptr<AgentSession>> Open(SessionContext context) override {
    return std::make_unique<GptOssSession>(pool_, options_, std::move(context));
  }

 private:
  ModelPool& pool_;
  const GptOssAgentOptions options_;
};

}  // namespace

std::unique_ptr<Agent> MakeGptOssAgent(ModelPool& pool, const GptOssAgentOptions& options) {
  return std::make_unique<GptOssAgent>(pool, options);
}

std::vector<std::string> UnansweredCalls(const harmony::Conversation& conversation) {
  std::vector<std::string> calls;
  for (const harmony::Message& message : conversation.messages) {
    if (message.role == harmony::Role::kTool) {
      const auto answered = std::ranges::find(calls, message.name.value_or(""));
      if (answered != calls.end()) calls.erase(answered);
    } else if (message.role == harmony::Role::kAssistant && message.recipient) {
      calls.push_back(*message.recipient);
    } else if (message.role == harmony::Role::kUser) {
      calls.clear();  // too late for those
    }
  }
  return calls;
}

GptOssSession::GptOssSession(ModelPool& pool, const GptOssAgentOptions& options, SessionContext context)
    : pool_(pool),
      options_(options),
      context_(std::move(context)),
      workspace_(context_.folder, context_.more_folders),
      mcp_servers_(context_.mcp_servers, context_.folder, options_.version),
      used_(context_.context_used),
      context_tokens_(context_.context_size),
      interrupted_(context_.interrupted) {
  const LastingPermissions permissions{.allowed = context_.allowed, .allow = context_.allow};
  toolbox_ = std::make_unique<Toolbox>(workspace_, permissions);
  few_tools_ = std::make_unique<Toolbox>(workspace_, permissions);
  AddBuiltinTools(*toolbox_, false);
  AddBuiltinTools(*few_tools_, true);
}

GptOssSession::~GptOssSession() {
  if (!session_.empty()) model_->provider->EndSession(session_);
}

// ---- the conversation
// --------------------------------------------------------------------------------------

Result<harmony::Conversation> GptOssSession::Conversation() const {
  if (session_.empty()) return context_.conversation;
  return model_->provider->Snapshot(session_);
}

Status GptOssSession::Attach() {
  GPTOSS_TRY(const PooledModel* const model, pool_.Get(context_.choices->Get().model));
  if (model == model_ && !session_.empty()) return {};
  GPTOSS_TRY(harmony::Conversation conversation, Conversation());
  if (!session_.empty()) model_->provider->EndSession(session_);
  session_.clear();
  full_ = false;
  context_.conversation = std::move(conversation);
  if (model_ != nullptr && model != model_)  // another model's context is another one; its first call tells
    context_tokens_ = static_cast<std::uint64_t>(model->provider->model().context_tokens);
  model_ = model;
  if (context_.conversation.messages.empty()) {
    GPTOSS_TRY(session_,
               model->provider->StartSession({.instructions = Instructions(workspace_, model->small)}));
  } else {
    GPTOSS_TRY(session_, model->provider->Resume(context_.conversation));
  }
  return {};
}

// The session goes on with another conversation; an empty one begins anew.
void GptOssSession::Replace(harmony::Conversation conversation) {
  if (!session_.empty()) model_->provider->EndSession(session_);
  session_.clear();
  context_.conversation = std::move(conversation);
  context_.save(context_.conversation);
}

void GptOssSession::Save() {
  if (const auto conversation = Conversation()) context_.save(*conversation);
}

void GptOssSession::Say(TurnSink& sink, std::string text) {
  sink.Emit(acp::MessageChunk{
      .kind = acp::MessageKind::kAgent, .message_id = NewId("msg"), .text = std::move(text)});
}

// ---- a turn
// ------------------------------------------------------------------------------------------------

TurnOutcome GptOssSession::Prompt(const Turn& turn, TurnSink& sink) {
  auto text = PromptText(turn.prompt, workspace_, sink);
  if (!text) return {.reason = StopReason::kEndTurn, .error = text.error()};
  if (auto outcome = Command(*text, turn.cancel, sink)) return *outcome;
  const auto attach = [&] {
    const Status attached = Attach();
    if (!attached) Say(sink, fmt::format("{}\n", attached.error().message));
    return attached.has_value();
  };
  if (!attach()) return {};
  if (auto outcome = MakeInstalled(*model_, context_.choices->Get().model, turn.cancel, sink))
    return *outcome;
  // A small model summarises badly: it does so only where it could not go on otherwise.
  if (full_ || (context_tokens_ > 0 && !model_->small &&
                static_cast<double>(used_) > kFullAt * static_cast<double>(context_tokens_))) {
    if (const Status compacted = Compact(turn.cancel, sink); !compacted && turn.cancel.cancelled())
      return {.reason = StopReason::kCancelled, .error = std::nullopt};
    if (!attach()) return {};  // it goes on with another conversation
  }
  if (sink.client().elicitation_form && !toolbox_->Has("ask_user")) toolbox_->Add(MakeAskUserTool());
  if (!model_->small) {
    mcp_servers_.Join(*toolbox_, sink, turn.cancel);
    return Answer(std::move(*text), turn.cancel, sink);
  }
  mcp_servers_.TellFailures(sink);
  TurnOutcome outcome = Answer(std::move(*text), turn.cancel, sink);
  mcp_servers_.TellFailures(sink);  // that came meanwhile
  return outcome;
}

TurnOutcome GptOssSession::Answer(std::string text, const CancelToken& cancel, TurnSink& sink) {
  std::vector<harmony::Message> messages;
  const auto conversation = Conversation();
  if (conversation) {
    // What was interrupted has no result; the model is told so, or it would wait for one.
    for (const std::string& call : UnansweredCalls(*conversation))
      messages.push_back(harmony::ToolResultMessage(call, "[interrupted by the user]"));
  }
  if (std::exchange(interrupted_, false)) text.insert(0, kInterrupted);
  messages.push_back(harmony::UserMessage(std::move(text)));
  if (conversation) {  // kept before the model begins: a kill does not lose the question
    harmony::Conversation asked = *conversation;
    asked.messages.insert(asked.messages.end(), messages.begin(), messages.end());
    context_.save(asked);
  }
  malformed_ = 0;
  TurnOutcome outcome = Loop(std::move(messages), cancel, sink);
  if (cancel.cancelled() || outcome.reason == StopReason::kCancelled) {
    outcome = {.reason = StopReason::kCancelled, .error = std::nullopt};
    interrupted_ = true;
  }
  Save();
  return outcome;
}

TurnOutcome GptOssSession::Loop(std::vector<harmony::Message> messages, const CancelToken& cancel,
                                TurnSink& sink) {
  for (int calls = 0; calls < options_.max_calls; ++calls) {
    const StreamDone done =
        CallModel(*model_->provider, session_, std::move(messages), CallOptions(), &sink, cancel);
    SendUsage(done, sink);
    Save();
    if (auto outcome = EndOf(done, sink)) return *outcome;
    messages.clear();
    if (auto outcome = RunTools(done, cancel, sink, messages)) return *outcome;
  }
  Say(sink, fmt::format("I stopped after {} calls of the model in one turn. Say \"go on\" and I will.\n",
                        options_.max_calls));
  return {.reason = StopReason::kMaxTurnRequests, .error = std::nullopt};
}

ModelCallOptions GptOssSession::CallOptions() const {
  const Choices choices = context_.choices->Get();
  ModelCallOptions options;
  options.show_reasoning = choices.show_reasoning;
  options.stream.temperature = choices.temperature;
  options.stream.effort = choices.effort;
  options.stream.max_tokens = options_.max_tokens;
  const Toolbox& toolbox = model_->small ? *few_tools_ : *toolbox_;
  options.stream.tools = choices.tools ? toolbox.Namespace() : harmony::ToolNamespace{.name = "functions"};
  return options;
}

void GptOssSession::SendUsage(const StreamDone& done, TurnSink& sink) {
  const std::int64_t tokens = done.usage.prompt_tokens + done.usage.generated_tokens;
  if (tokens <= 0 || done.usage.context_tokens <= 0) return;
  used_ = static_cast<std::uint64_t>(tokens);
  context_tokens_ = static_cast<std::uint64_t>(done.usage.context_tokens);
  sink.Emit(acp::Usage{.used = used_, .size = context_tokens_});
}

// nullopt: it called tools.
std::optional<TurnOutcome> GptOssSession::EndOf(const StreamDone& done, TurnSink& sink) {
  switch (done.end) {
    case TurnEnd::kToolCall:
      if (!done.tool_calls.empty()) return std::nullopt;
      break;
    case TurnEnd::kAnswer:
      return TurnOutcome{};
    case TurnEnd::kMaxTokens:
      return TurnOutcome{.reason = StopReason::kMaxTokens, .error = std::nullopt};
    case TurnEnd::kCancelled:
      return TurnOutcome{.reason = StopReason::kCancelled, .error = std::nullopt};
    case TurnEnd::kContextLimit:
      full_ = true;
      Say(sink,
          "The context is full. Before the next prompt the conversation is summarised; /clear begins "
          "anew.\n");
      return TurnOutcome{.reason = StopReason::kMaxTokens, .error = std::nullopt};
    case TurnEnd::kNoAnswer:
      break;
    case TurnEnd::kError:
      return TurnOutcome{.reason = StopReason::kEndTurn,
                         .error = done.error.value_or(Error{ErrorCode::kInternal, done.explanation})};
  }
  Say(sink, fmt::format("The model ended without an answer{}{}.\n", done.explanation.empty() ? "" : ": ",
                        done.explanation));
  return TurnOutcome{};
}

std::optional<TurnOutcome> GptOssSession::RunTools(const StreamDone& done, const CancelToken& cancel,
                                                   TurnSink& sink, std::vector<harmony::Message>& results) {
  Toolbox& toolbox = model_->small ? *few_tools_ : *toolbox_;
  for (const gptoss::ToolCall& call : done.tool_calls) {
    if (cancel.cancelled()) return TurnOutcome{.reason = StopReason::kCancelled, .error = std::nullopt};
    const ToolAnswer answer = toolbox.Call(call.name, call.arguments, sink, cancel);
    if (answer.aborted || cancel.cancelled())
      return TurnOutcome{.reason = StopReason::kCancelled, .error = std::nullopt};
    malformed_ = answer.malformed ? malformed_ + 1 : 0;
    if (malformed_ > kMaxMalformed) {
      Say(sink, fmt::format("The model called tools wrongly {} times in a row; I stopped.\n", malformed_));
      return TurnOutcome{};
    }
    results.push_back(harmony::ToolResultMessage("functions." + call.name, answer.text));
  }
  return std::nullopt;
}

// ---- on the side
// -------------------------------------------------------------------------------------------

std::string GptOssSession::MakeTitle(const CancelToken& cancel) {
  if (model_ == nullptr || session_.empty() || model_->small) return "";
  auto conversation = Conversation();
  if (!conversation) return "";
  const auto side = model_->provider->Resume(Shortened(*conversation, 8000));
  if (!side) return "";
  ModelCallOptions options;
  options.silent = true;
  options.stream.effort = harmony::ReasoningEffort::kLow;
  options.stream.max_tokens = 200;
  options.stream.tools = harmony::ToolNamespace{.name = "functions"};
  const StreamDone done =
      CallModel(*model_->provider, *side,
                {harmony::UserMessage(
                    "Give this conversation a title of at most six words. Answer with the title alone.")},
                options, nullptr, cancel);
  model_->provider->EndSession(*side);
  if (done.end != TurnEnd::kAnswer) return "";
  std::string title = done.answer.substr(0, done.answer.find('\n'));
  while (!title.empty() && (title.back() == '.' || title.back() == '"' || title.back() == ' '))
    title.pop_back();
  title.erase(0, title.find_first_not_of("\" #*"));
  return title.size() <= 100 ? title : "";
}

}  // namespace gptoss::agents
