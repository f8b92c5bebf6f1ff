#include "harmony/conversation.h"

#include <fmt/format.h>

#include <algorithm>

namespace gptoss::harmony {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::unexpected<Error> Bad(std::string_view where, std::string_view expected) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: expected {}", where, expected));
}

// A string field; absent and null are the same.
Status ReadString(const Json& object, const char* field, std::string_view where,
                  std::optional<std::string>& out) {
  const auto it = object.find(field);
  out.reset();
  if (it == object.end() || it->is_null()) return {};
  if (!it->is_string()) return Bad(fmt::format("{}.{}", where, field), "a string");
  out = it->get<std::string>();
  return {};
}

Result<ToolDescription> ReadTool(const Json& json, const std::string& where) {
  if (!json.is_object()) return Bad(where, "an object");
  ToolDescription tool;
  std::optional<std::string> text;
  GPTOSS_CHECK_OK(ReadString(json, "name", where, text));
  if (!text) return Bad(where + ".name", "a string");
  tool.name = *text;
  GPTOSS_CHECK_OK(ReadString(json, "description", where, text));
  tool.description = text.value_or("");
  if (const auto it = json.find("parameters"); it != json.end() && !it->is_null()) tool.parameters = *it;
  return tool;
}

Status ReadTools(const Json& object, const std::string& where, std::optional<ToolNamespaces>& out) {
  const auto it = object.find("tools");
  out.reset();
  if (it == object.end() || it->is_null()) return {};
  if (!it->is_object()) return Bad(where + ".tools", "an object of namespaces");
  ToolNamespaces spaces;
  for (const auto& [key, value] : it->items()) {
    const std::string here = where + ".tools." + key;
    if (!value.is_object()) return Bad(here, "an object");
    ToolNamespace space;
    std::optional<std::string> name;
    GPTOSS_CHECK_OK(ReadString(value, "name", here, name));
    space.name = name.value_or(key);
    GPTOSS_CHECK_OK(ReadString(value, "description", here, space.description));
    const auto tools = value.find("tools");
    if (tools != value.end() && !tools->is_null()) {
      if (!tools->is_array()) return Bad(here + ".tools", "an array");
      for (const Json& tool : *tools) {
        GPTOSS_TRY(ToolDescription description, ReadTool(tool, here + ".tools[]"));
        space.tools.push_back(std::move(description));
      }
    }
    spaces.emplace_back(key, std::move(space));
  }
  out = std::move(spaces);
  return {};
}

Result<SystemContent> ReadSystem(const Json& json, const std::string& where) {
  SystemContent content;
  GPTOSS_CHECK_OK(ReadString(json, "model_identity", where, content.model_identity));
  std::optional<std::string> effort;
  GPTOSS_CHECK_OK(ReadString(json, "reasoning_effort", where, effort));
  content.reasoning_effort.reset();
  if (effort) {
    GPTOSS_TRY(content.reasoning_effort, ParseReasoningEffort(*effort));
  }
  GPTOSS_CHECK_OK(ReadTools(json, where, content.tools));
  GPTOSS_CHECK_OK(ReadString(json, "conversation_start_date", where, content.conversation_start_date));
  GPTOSS_CHECK_OK(ReadString(json, "knowledge_cutoff", where, content.knowledge_cutoff));
  content.channel_config.reset();
  const auto config = json.find("channel_config");
  if (config == json.end() || config->is_null()) return content;
  if (!config->is_object()) return Bad(where + ".channel_config", "an object");
  ChannelConfig channels;
  if (const auto it = config->find("valid_channels"); it != config->end()) {
    if (!it->is_array() || !std::ranges::all_of(*it, [](const Json& c) { return c.is_string(); })) {
      return Bad(where + ".channel_config.valid_channels", "an array of strings");
    }
    channels.valid_channels = it->get<std::vector<std::string>>();
  }
  if (const auto it = config->find("channel_required"); it != config->end()) {
    if (!it->is_boolean()) return Bad(where + ".channel_config.channel_required", "true or false");
    channels.channel_required = it->get<bool>();
  }
  content.channel_config = std::move(channels);
  return content;
}

Result<Content> ReadContent(const Json& json, const std::string& where) {
  if (json.is_string()) return json.get<std::string>();
  const auto type = json.is_object() ? json.find("type") : json.end();
  if (!json.is_object() || type == json.end() || !type->is_string())
    return Bad(where, "a string or an object with a type");
  if (*type == "text") {
    std::optional<std::string> text;
    GPTOSS_CHECK_OK(ReadString(json, "text", where, text));
    if (!text) return Bad(where + ".text", "a string");
    return *text;
  }
  if (*type == "system_content") {
    GPTOSS_TRY(SystemContent content, ReadSystem(json, where));
    return content;
  }
  if (*type == "developer_content") {
    DeveloperContent content;
    GPTOSS_CHECK_OK(ReadString(json, "instructions", where, content.instructions));
    GPTOSS_CHECK_OK(ReadTools(json, where, content.tools));
    return content;
  }
  return Bad(where + ".type", "text, system_content or developer_content");
}

Result<Message> ReadMessage(const Json& json, const std::string& where) {
  if (!json.is_object()) return Bad(where, "an object");
  Message message;
  std::optional<std::string> role;
  GPTOSS_CHECK_OK(ReadString(json, "role", where, role));
  bool known = false;
  for (const Role r : {Role::kSystem, Role::kDeveloper, Role::kUser, Role::kAssistant, Role::kTool}) {
    if (role != RoleName(r)) continue;
    message.role = r;
    known = true;
  }
  if (!known) return Bad(where + ".role", "system, developer, user, assistant or tool");
  GPTOSS_CHECK_OK(ReadString(json, "name", where, message.name));
  GPTOSS_CHECK_OK(ReadString(json, "channel", where, message.channel));
  GPTOSS_CHECK_OK(ReadString(json, "recipient", where, message.recipient));
  GPTOSS_CHECK_OK(ReadString(json, "content_type", where, message.content_type));
  const auto content = json.find("content");
  if (content == json.end()) return Bad(where + ".content", "a string or an array");
  if (!content->is_array()) {
    GPTOSS_TRY(Content item, ReadContent(*content, where + ".content"));
    message.content.push_back(std::move(item));
    return message;
  }
  for (const Json& entry : *content) {
    GPTOSS_TRY(Content item, ReadContent(entry, where + ".content[]"));
    message.content.push_back(std::move(item));
  }
  return message;
}

Json OrNull(const std::optional<std::string>& text) { return text ? Json(*text) : Json(nullptr); }

Json ToolsToJson(const std::optional<ToolNamespaces>& tools) {
  if (!tools) return nullptr;
  Json out = Json::object();
  for (const auto& [key, space] : *tools) {
    Json list = Json::array();
    for (const ToolDescription& tool : space.tools) {
      list.push_back({{"name", tool.name},
                      {"description", tool.description},
                      {"parameters", tool.parameters ? *tool.parameters : Json(nullptr)}});
    }
    out[key] = {{"name", space.name}, {"description", OrNull(space.description)}, {"tools", std::move(list)}};
  }
  return out;
}

Json ContentToJson(const Content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return {{"type", "text"}, {"text", *text}};
  if (const auto* developer = std::get_if<DeveloperContent>(&content)) {
    return {{"type", "developer_content"},
            {"instructions", OrNull(developer->instructions)},
            {"tools", ToolsToJson(developer->tools)}};
  }
  const auto& system = std::get<SystemContent>(content);
  Json out = {{"type", "system_content"},
              {"model_identity", OrNull(system.model_identity)},
              {"reasoning_effort", nullptr},
              {"tools", ToolsToJson(system.tools)},
              {"conversation_start_date", OrNull(system.conversation_start_date)},
              {"knowledge_cutoff", OrNull(system.knowledge_cutoff)},
              {"channel_config", nullptr}};
  if (system.reasoning_effort) {
    std::string effort(ReasoningEffortName(*system.reasoning_effort));
    effort[0] = static_cast<char>(effort[0] - 32);  // "Low" in the official form
    out["reasoning_effort"] = effort;
  }
  if (system.channel_config) {
    out["channel_config"] = {{"valid_channels", system.channel_config->valid_channels},
                             {"channel_required", system.channel_config->channel_required}};
  }
  return out;
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kDeveloper:
      return "developer";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

Result<ReasoningEffort> ParseReasoningEffort(std::string_view name) {
  const std::string lower = Lower(name);
  if (lower == "low") return ReasoningEffort::kLow;
  if (lower == "medium") return ReasoningEffort::kMedium;
  if (lower == "high") return ReasoningEffort::kHigh;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("reasoning effort: expected low, medium or high, found {}", name.substr(0, 40)));
}

std::string_view ReasoningEffortName(ReasoningEffort effort) {
  return effort == ReasoningEffort::kLow ? "low" : effort == ReasoningEffort::kMedium ? "medium" : "high";
}

std::string Message::Text() const {
  std::string all;
  for (const Content& item : content) {
    if (const auto* text = std::get_if<std::string>(&item)) all += *text;
  }
  return all;
}

Message SystemMessage(SystemContent content) {
  Message m;
  m.role = Role::kSystem;
  m.content.emplace_back(std::move(content));
  return m;
}
Message DeveloperMessage(DeveloperContent content) {
  Message m;
  m.role = Role::kDeveloper;
  m.content.emplace_back(std::move(content));
  return m;
}
Message UserMessage(std::string text) {
  Message m;
  m.content.emplace_back(std::move(text));
  return m;
}
Message AssistantMessage(std::string channel, std::string text) {
  Message m;
  m.role = Role::kAssistant;
  m.channel = std::move(channel);
  m.content.emplace_back(std::move(text));
  return m;
}
Message ToolCallMessage(std::string function, std::string arguments) {
  Message m = AssistantMessage("commentary", std::move(arguments));
  m.recipient = "functions." + std::move(function);
  m.content_type = "<|constrain|>json";
  return m;
}
Message ToolResultMessage(std::string author, std::string output, std::string channel) {
  Message m;
  m.role = Role::kTool;
  m.name = std::move(author);
  m.recipient = "assistant";
  m.channel = std::move(channel);
  m.content.emplace_back(std::move(output));
  return m;
}

Result<Conversation> ConversationFromJson(const Json& json) {
  const auto messages = json.is_object() ? json.find("messages") : json.end();
  if (!json.is_object() || messages == json.end() || !messages->is_array())
    return Bad("conversation", "an object with an array \"messages\"");
  Conversation conversation;
  for (const Json& entry : *messages) {
    GPTOSS_TRY(Message message,
               ReadMessage(entry, fmt::format("messages[{}]", conversation.messages.size())));
    conversation.messages.push_back(std::move(message));
  }
  return conversation;
}

Json ConversationToJson(const Conversation& conversation) {
  Json messages = Json::array();
  for (const Message& m : conversation.messages) {
    Json message = {{"role", RoleName(m.role)}};
    if (m.name) message["name"] = *m.name;
    if (m.channel) message["channel"] = *m.channel;
    if (m.recipient) message["recipient"] = *m.recipient;
    if (m.content_type) message["content_type"] = *m.content_type;
    message["content"] = Json::array();
    for (const Content& item : m.content) message["content"].push_back(ContentToJson(item));
    messages.push_back(std::move(message));
  }
  return {{"messages", std::move(messages)}};
}

}  // namespace gptoss::harmony
