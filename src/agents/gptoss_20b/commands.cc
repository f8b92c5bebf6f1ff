// What the user types with a slash, and the compaction of a conversation.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agents/gptoss_20b/gptoss_session.h"
#include "agents/ids.h"
#include "base/text.h"

namespace gptoss::agents {
namespace {

using acp::StopReason;
constexpr std::size_t kBytesPerToken = 3;  // at least, of usual text: an estimate that errs on the safe side
constexpr std::size_t kKeptResultBytes = 1500;
constexpr std::string_view kSummaryRequest =
    "Summarise our conversation so far for yourself, so that you can go on without it: what the user wants, "
    "what was "
    "found out and decided, which files were changed and how, what remains to be done. Be complete and "
    "brief.";

std::size_t Bytes(const harmony::Conversation& conversation) {
  std::size_t bytes = 0;
  for (const harmony::Message& message : conversation.messages) bytes += message.Text().size() + 16;
  return bytes;
}

bool IsHead(const harmony::Message& message) {
  return message.role == harmony::Role::kSystem || message.role == harmony::Role::kDeveloper;
}

harmony::Conversation HeadOf(const harmony::Conversation& conversation) {
  harmony::Conversation head;
  for (const harmony::Message& message : conversation.messages) {
    if (!IsHead(message)) break;
    head.messages.push_back(message);
  }
  return head;
}

}  // namespace

harmony::Conversation Shortened(const harmony::Conversation& conversation, std::size_t max_bytes) {
  harmony::Conversation shorter = conversation;
  auto& messages = shorter.messages;
  if (Bytes(shorter) > max_bytes) {
    for (harmony::Message& message : messages) {
      if (message.role != harmony::Role::kTool || message.Text().size() <= kKeptResultBytes) continue;
      message.content = {Abridge(message.Text(), kKeptResultBytes)};
    }
  }
  // Whole turns go, the oldest first.
  while (Bytes(shorter) > max_bytes) {
    const auto first = std::ranges::find_if_not(messages, IsHead);
    if (first == messages.end()) break;
    auto next = std::find_if(std::next(first), messages.end(),
                             [](const harmony::Message& m) { return m.role == harmony::Role::kUser; });
    messages.erase(first, next);
  }
  return shorter;
}

std::vector<acp::Command> SlashCommands() {
  return {{"compact", "Summarise the conversation and go on with the summary", ""},
          {"clear", "Forget the conversation and begin anew", ""},
          {"effort", "How long the model reasons before it answers", "low, medium or high"},
          {"model", "Which model answers", "its name"},
          {"permissions", "What is allowed or refused for ever in this folder", "forget"},
          {"status", "Model, context and tools", ""},
          {"help", "What can be typed here", ""}};
}

std::optional<TurnOutcome> GptOssSession::Command(const std::string& text, const CancelToken& cancel,
                                                  TurnSink& sink) {
  const std::string_view line = Trimmed(text);
  if (!line.starts_with('/')) return std::nullopt;
  const std::size_t space = line.find_first_of(" \t\r\n");
  const std::string_view name = line.substr(1, space == std::string_view::npos ? space : space - 1);
  const std::string_view value = space == std::string_view::npos ? "" : Trimmed(line.substr(space));
  if (name == "help") {
    std::string help;
    for (const acp::Command& command : SlashCommands())
      help += fmt::format("- `/{}{}` {}\n", command.name, command.hint.empty() ? "" : " " + command.hint,
                          command.description);
    Say(sink, std::move(help));
  } else if (name == "status") {
    Say(sink, StatusText());
  } else if (name == "permissions") {
    Say(sink, Permissions(value == "forget"));
  } else if (name == "clear") {
    Replace({});
    used_ = 0;
    Say(sink, "The conversation is forgotten.\n");
  } else if (name == "effort" || name == "model") {
    const Status chosen = sink.Choose(name == "effort" ? "thought_level" : "model", value);
    Say(sink, chosen ? fmt::format("{}: {}\n", name, value) : fmt::format("{}\n", chosen.error().message));
  } else if (name == "compact") {
    const Status compacted = Compact(cancel, sink);
    if (cancel.cancelled()) return TurnOutcome{.reason = StopReason::kCancelled, .error = std::nullopt};
    Say(sink,
        compacted ? "The conversation is compacted.\n" : fmt::format("{}\n", compacted.error().message));
  } else {
    return std::nullopt;
  }
  return TurnOutcome{};
}

std::string GptOssSession::StatusText() const {
  const Choices choices = context_.choices->Get();
  std::string text = fmt::format("- model: {}\n- reasoning effort: {}\n- temperature: {}\n- folder: {}\n",
                                 choices.model, harmony::ReasoningEffortName(choices.effort),
                                 TemperatureInForce(choices, pool_.Choices()), workspace_.folder().string());
  if (context_tokens_ > 0) text += fmt::format("- context: {} of {} tokens\n", used_, context_tokens_);
  const Toolbox& toolbox = model_ != nullptr && model_->small ? *few_tools_ : *toolbox_;
  text += fmt::format("- tools: {}\n",
                      choices.tools ? fmt::format("{}", fmt::join(toolbox.Names(), ", ")) : "off");
  return text + mcp_servers_.StatusText();
}

std::string GptOssSession::Permissions(bool forget) const {
  if (forget) {
    context_.forget_rules();
    return "Nothing is allowed or refused for ever here any more.\n";
  }
  std::string text;
  for (const std::string& rule : context_.rules()) text += fmt::format("- `{}`\n", rule);
  if (text.empty()) return "Nothing is allowed or refused for ever here.\n";
  return text + "\n`/permissions forget` forgets these.\n";
}

Result<std::string> GptOssSession::Summary(const CancelToken& cancel,
                                           const std::function<void(const std::string&)>& on_text) {
  GPTOSS_CHECK_OK(Attach());
  GPTOSS_TRY(const harmony::Conversation conversation, Conversation());
  if (conversation.messages.size() <= HeadOf(conversation).messages.size())
    return Fail(ErrorCode::kFailedPrecondition, "There is nothing to compact yet.");
  const std::size_t room = context_tokens_ == 0 ? SIZE_MAX : context_tokens_ * kBytesPerToken * 3 / 5;
  GPTOSS_TRY(const SessionId side, model_->provider->Resume(Shortened(conversation, room)));
  ModelCallOptions options;
  options.silent = true;
  options.on_answer = on_text;
  options.stream.effort = harmony::ReasoningEffort::kLow;
  options.stream.tools = harmony::ToolNamespace{.name = "functions"};
  const StreamDone done =
      CallModel(*model_->provider, side, {harmony::UserMessage(std::string(kSummaryRequest))}, options,
                nullptr, cancel);
  model_->provider->EndSession(side);
  if (done.end == TurnEnd::kCancelled) return Fail(ErrorCode::kCancelled, "Compacting was cancelled.");
  if (done.end != TurnEnd::kAnswer)
    return Fail(ErrorCode::kInternal, fmt::format("The model gave no summary: {}", done.explanation));
  return done.answer;
}

Status GptOssSession::Compact(const CancelToken& cancel, TurnSink& sink) {
  acp::Compaction compaction{.id = NewId("compaction"), .status = "in_progress"};
  sink.Emit(compaction);
  auto summary = Summary(cancel, [&](const std::string& text) {
    sink.Emit(acp::CompactionText{.id = compaction.id, .text = text});
  });
  if (!summary) {
    compaction.status = summary.error().code == ErrorCode::kCancelled ? "cancelled" : "failed";
    compaction.error = summary.error().message;
    sink.Emit(compaction);
    return std::unexpected(std::move(summary).error());
  }
  GPTOSS_TRY(const harmony::Conversation conversation, Conversation());
  harmony::Conversation compacted = HeadOf(conversation);
  compacted.messages.push_back(
      harmony::UserMessage(fmt::format("This is a summary of our conversation so far:\n\n{}", *summary)));
  compacted.messages.push_back(harmony::AssistantMessage("final", "I go on from there."));
  used_ = Bytes(compacted) / kBytesPerToken;
  Replace(std::move(compacted));
  compaction.status = "completed";
  compaction.summary = *summary;
  sink.Emit(compaction);
  if (context_tokens_ > 0) sink.Emit(acp::Usage{.used = used_, .size = context_tokens_});
  return {};
}

}  // namespace gptoss::agents
