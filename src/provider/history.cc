// What a turn leaves behind, and what a conversation starts with.
#include <ctime>
#include <string>
#include <utility>

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

harmony::Message CallAsHistory(const ParsedMessage& call) {
  harmony::Message message;
  message.role = harmony::Role::kAssistant;
  message.channel = "commentary";
  message.recipient = call.recipient;
  message.content_type = call.content_type;
  message.content = {call.content};
  return message;
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
  bool has_final = false;
  for (const ParsedMessage& message : result.messages) {
    if (message.route == Route::kAnswer &&
        message.content.find_first_not_of(" \t\r\n") != std::string::npos) {
      has_final = true;
    }
  }
  for (const ParsedMessage& message : result.messages) {
    const bool call = message.route == Route::kToolCall;
    if (call) {
      // A call that was cut off has no result to come, and half of its arguments would be a bad example.
      if (result.end == TurnEnd::kToolCall) conversation.messages.push_back(CallAsHistory(message));
      continue;
    }
    if (message.content.find_first_not_of(" \t\r\n") == std::string::npos) continue;
    switch (message.route) {
      case Route::kReasoning:
        conversation.messages.push_back(harmony::AssistantMessage("analysis", message.content));
        break;
      case Route::kPreamble:
        conversation.messages.push_back(harmony::AssistantMessage("commentary", message.content));
        break;
      case Route::kAnswer:
        conversation.messages.push_back(harmony::AssistantMessage("final", message.content));
        break;
      case Route::kUnchannelled:
        if (!has_final) conversation.messages.push_back(harmony::AssistantMessage("final", message.content));
        break;
      case Route::kToolCall:
        break;
    }
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
