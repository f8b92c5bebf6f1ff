// A conversation as Harmony knows it. Plain values; see docs/harmony.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace gptoss::harmony {

enum class Role : std::uint8_t { kSystem, kDeveloper, kUser, kAssistant, kTool };
std::string_view RoleName(Role role);

enum class ReasoningEffort : std::uint8_t { kLow, kMedium, kHigh };
Result<ReasoningEffort> ParseReasoningEffort(std::string_view name);
std::string_view ReasoningEffortName(ReasoningEffort effort);  // "low", "medium", "high"

// A function's JSON schema keeps key order; its numbers are spelled as serde_json spells them, as the
// reference does.
struct ToolDescription {
  std::string name;
  std::string description;
  std::optional<Json> parameters;
};

struct ToolNamespace {
  std::string name;
  std::optional<std::string> description;
  std::vector<ToolDescription> tools;
};
// Keyed by namespace key; rendered in byte order of the keys.
using ToolNamespaces = std::vector<std::pair<std::string, ToolNamespace>>;

ToolNamespace BrowserTool();
ToolNamespace PythonTool();

struct ChannelConfig {
  std::vector<std::string> valid_channels = {"analysis", "commentary", "final"};
  bool channel_required = true;
};

struct SystemContent {
  std::optional<std::string> model_identity = "You are ChatGPT, a large language model trained by OpenAI.";
  std::optional<ReasoningEffort> reasoning_effort = ReasoningEffort::kMedium;
  std::optional<ToolNamespaces> tools;
  std::optional<std::string> conversation_start_date;  // YYYY-MM-DD
  std::optional<std::string> knowledge_cutoff = "2024-06";
  std::optional<ChannelConfig> channel_config = ChannelConfig{};
};

struct DeveloperContent {
  std::optional<std::string> instructions;
  std::optional<ToolNamespaces> tools;
};

using Content = std::variant<std::string, SystemContent, DeveloperContent>;

struct Message {
  Role role = Role::kUser;
  std::optional<std::string> name;  // author name: "user:alice"; for tools the whole author ("functions.f")
  std::vector<Content> content;
  std::optional<std::string> channel;
  std::optional<std::string> recipient;
  std::optional<std::string> content_type;  // e.g. "<|constrain|>json"
  // Of a message that a model wrote: the ids of it, from <|start|> to <|end|> or <|call|>, as they were
  // sampled. The renderer copies them if they say exactly this message (sampled_ids.h), else it goes by the
  // fields. Not part of the JSON form.
  std::vector<std::int32_t> ids = {};

  std::string Text() const;  // the text items, joined
};

struct Conversation {
  std::vector<Message> messages;
};

// Makers of the usual messages.
Message SystemMessage(SystemContent content);
Message DeveloperMessage(DeveloperContent content);
Message UserMessage(std::string text);
Message AssistantMessage(std::string channel, std::string text);
Message ToolCallMessage(std::string function, std::string arguments);  // functions.NAME, commentary
Message ToolResultMessage(std::string author, std::string output, std::string channel = "commentary");

// The official JSON form ({"messages":[…]}), both ways.
Result<Conversation> ConversationFromJson(const Json& json);
Json ConversationToJson(const Conversation& conversation);

}  // namespace gptoss::harmony
