// What a turn leaves behind, and what a conversation starts with.
#include <algorithm>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "provider/generation.h"

namespace gptoss {
namespace {

using harmony::ParsedMessage;
using harmony::Route;

std::string LocalToday() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  if (localtime_r(&now, &local) == nullptr) return "1970-01-01";
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &local)};
}

bool Blank(const ParsedMessage& message) { return IsBlank(message.content, " \t\r\n"); }

harmony::Message CallAsHistory(const ParsedMessage& call) {
  harmony::Message message = harmony::AssistantMessage("commentary", call.content);
  message.recipient = call.recipient;
  message.content_type = call.content_type;
  return message;
}

// nullopt: it leaves nothing behind.
std::optional<harmony::Message> AsHistory(const ParsedMessage& message, TurnEnd end, bool has_final) {
  // A call that was cut off has no result to come, and half of its arguments would be a bad example.
  if (message.route == Route::kToolCall)
    return end == TurnEnd::kToolCall ? std::optional(CallAsHistory(message)) : std::nullopt;
  if (Blank(message)) return std::nullopt;
  switch (message.route) {
    case Route::kReasoning:
      return harmony::AssistantMessage("analysis", message.content);
    case Route::kPreamble:
      return harmony::AssistantMessage("commentary", message.content);
    case Route::kAnswer:
      return harmony::AssistantMessage("final", message.content);
    case Route::kUnchannelled:
      if (!has_final) return harmony::AssistantMessage("final", message.content);
      break;
    case Route::kToolCall:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::string_view TurnEndName(TurnEnd end) {
  switch (end) {
    case TurnEnd::kAnswer:
      return "answer";
    case TurnEnd::kToolCall:
      return "tool_call";
    case TurnEnd::kMaxTokens:
      return "max_tokens";
    case TurnEnd::kContextLimit:
      return "context_limit";
    case TurnEnd::kCancelled:
      return "cancelled";
    case TurnEnd::kNoAnswer:
      return "no_answer";
    case TurnEnd::kError:
      return "error";
  }
  return "error";
}

void AppendTurn(const TurnResult& result, harmony::Conversation& conversation) {
  const bool has_final = std::ranges::any_of(result.messages, [](const ParsedMessage& message) {
    return message.route == Route::kAnswer && !Blank(message);
  });
  for (std::size_t i = 0; i < result.messages.size(); ++i) {
    auto message = AsHistory(result.messages[i], result.end, has_final);
    if (!message) continue;
    if (i < result.message_ids.size()) message->ids = result.message_ids[i];
    conversation.messages.push_back(std::move(*message));
  }
}

harmony::SystemContent DefaultSystemContent(harmony::ReasoningEffort effort,
                                            std::optional<std::string> date) {
  harmony::SystemContent content;
  content.reasoning_effort = effort;
  content.conversation_start_date = date ? std::move(date) : LocalToday();
  return content;
}

}  // namespace gptoss
