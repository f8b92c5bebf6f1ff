#include <array>
#include <utility>

#include "acp/v1.h"
#include "base/text.h"

namespace gptoss::acp::v1 {
namespace {

template <typename... Ts>
struct Overload : Ts... {
  using Ts::operator()...;
};

std::string_view KindName(ToolKind kind) {
  constexpr std::array<std::string_view, 9> kNames = {"read",    "edit",  "delete", "move", "search",
                                                      "execute", "think", "fetch",  "other"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view StatusName(ToolStatus status) {
  constexpr std::array<std::string_view, 4> kNames = {"pending", "in_progress", "completed", "failed"};
  return kNames[static_cast<std::size_t>(status)];
}

Json TextBlock(std::string_view text) { return Json{{"type", "text"}, {"text", text}}; }

Json WriteContent(const ToolContent& content) {
  return std::visit(Overload{[](const ToolText& text) {
                               return Json{{"type", "content"}, {"content", TextBlock(text.text)}};
                             },
                             [](const ToolDiff& diff) {
                               Json json{{"type", "diff"}, {"path", diff.path}};
                               if (diff.old_text) json["oldText"] = *diff.old_text;
                               json["newText"] = diff.new_text;
                               return json;
                             },
                             [](const ToolTerminal& terminal) {
                               return Json{{"type", "terminal"}, {"terminalId", terminal.id}};
                             }},
                    content);
}

void AddToolFields(const ToolCall& call, Json& json) {
  json["toolCallId"] = call.id;
  if (call.title) json["title"] = *call.title;
  if (call.name) json["name"] = *call.name;
  if (call.kind) json["kind"] = KindName(*call.kind);
  if (call.status) json["status"] = StatusName(*call.status);
  if (call.content) {
    json["content"] = Json::array();
    for (const ToolContent& content : *call.content) json["content"].push_back(WriteContent(content));
  }
  if (call.locations) {
    json["locations"] = Json::array();
    for (const Location& location : *call.locations) {
      Json place{{"path", location.path}};
      if (location.line) place["line"] = *location.line;
      json["locations"].push_back(std::move(place));
    }
  }
  if (call.raw_input) json["rawInput"] = *call.raw_input;
  if (call.raw_output) json["rawOutput"] = *call.raw_output;
  if (!call.meta.is_null()) json["_meta"] = call.meta;
}

Json Tagged(std::string_view tag) { return Json{{"sessionUpdate", tag}}; }

Json Write(const MessageChunk& chunk) {
  constexpr std::array<std::string_view, 3> kTags = {"user_message_chunk", "agent_message_chunk",
                                                     "agent_thought_chunk"};
  Json json = Tagged(kTags[static_cast<std::size_t>(chunk.kind)]);
  json["content"] = chunk.block.is_null() ? TextBlock(chunk.text) : chunk.block;
  json["messageId"] = chunk.message_id;
  return json;
}

Json Write(const Plan& plan) {
  Json json = Tagged("plan");
  json["entries"] = Json::array();
  for (const PlanEntry& entry : plan.entries)
    json["entries"].push_back({{"content", entry.content}, {"priority", "medium"}, {"status", entry.status}});
  return json;
}

Json Write(const Compaction& compaction) {
  Json json = Tagged("compaction_update");
  json["compactionId"] = compaction.id;
  json["status"] = compaction.status;
  if (!compaction.summary.empty()) json["summary"] = Json::array({TextBlock(compaction.summary)});
  if (!compaction.error.empty()) json["error"] = compaction.error;
  return json;
}

Json Write(const Commands& commands) {
  Json json = Tagged("available_commands_update");
  json["availableCommands"] = Json::array();
  for (const Command& command : commands.commands) {
    Json one{{"name", command.name}, {"description", command.description}};
    if (!command.hint.empty()) one["input"] = Json{{"hint", command.hint}};
    json["availableCommands"].push_back(std::move(one));
  }
  return json;
}

}  // namespace

std::string_view StopReasonName(StopReason reason) {
  constexpr std::array<std::string_view, 5> kNames = {"end_turn", "max_tokens", "max_turn_requests",
                                                      "refusal", "cancelled"};
  return kNames[static_cast<std::size_t>(reason)];
}

Json WriteToolCall(const ToolCall& call) {
  Json json = Json::object();
  AddToolFields(call, json);
  return json;
}

Json WriteUpdate(const Update& update, const ClientTraits& client) {
  return std::visit(Overload{[](const MessageChunk& chunk) { return Write(chunk); },
                             [](const ToolCall& call) {
                               Json json = Tagged(call.creates ? "tool_call" : "tool_call_update");
                               AddToolFields(call, json);
                               return json;
                             },
                             [](const Plan& plan) { return Write(plan); },
                             [](const Usage& usage) {
                               Json json = Tagged("usage_update");
                               json["used"] = usage.used;
                               json["size"] = usage.size;
                               return json;
                             },
                             [](const Notice& notice) {
                               Json json = Tagged("notice");
                               json["severity"] = notice.severity;
                               json["title"] = notice.title;
                               if (!notice.description.empty()) json["description"] = notice.description;
                               return json;
                             },
                             [](const Compaction& compaction) { return Write(compaction); },
                             [](const CompactionText& piece) {
                               Json json = Tagged("compaction_summary_chunk");
                               json["compactionId"] = piece.id;
                               json["content"] = TextBlock(piece.text);
                               return json;
                             },
                             [](const SessionTitle& title) {
                               Json json = Tagged("session_info_update");
                               json["title"] = title.title;
                               if (!title.updated_at.empty()) json["updatedAt"] = title.updated_at;
                               return json;
                             },
                             [](const Commands& commands) { return Write(commands); },
                             [](const ModeChanged& mode) {
                               Json json = Tagged("current_mode_update");
                               json["currentModeId"] = mode.mode;
                               return json;
                             },
                             [&](const OptionsChanged& changed) {
                               Json json = Tagged("config_option_update");
                               json["configOptions"] = WriteOptions(changed.options, client);
                               return json;
                             }},
                    update);
}

Json WriteModes(const Modes& modes) {
  Json json{{"currentModeId", modes.current}, {"availableModes", Json::array()}};
  for (const Mode& mode : modes.available)
    json["availableModes"].push_back(
        {{"id", mode.id}, {"name", mode.name}, {"description", mode.description}});
  return json;
}

// A switch is a boolean for clients that know booleans, and a choice of two for the others.
Json WriteOptions(const std::vector<ConfigOption>& options, const ClientTraits& client) {
  Json list = Json::array();
  for (const ConfigOption& option : options) {
    Json json{{"id", option.id}, {"name", option.name}};
    if (!option.description.empty()) json["description"] = option.description;
    if (!option.category.empty()) json["category"] = option.category;
    if (option.is_switch && client.boolean_options) {
      json["type"] = "boolean";
      json["currentValue"] = option.current == "on";
      list.push_back(std::move(json));
      continue;
    }
    json["type"] = "select";
    json["currentValue"] = option.current;
    json["options"] = Json::array();
    for (const OptionValue& value : option.values) {
      Json one{{"value", value.value}, {"name", value.name}};
      if (!value.description.empty()) one["description"] = value.description;
      json["options"].push_back(std::move(one));
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json WritePermissionOptions(const std::vector<PermissionOption>& options) {
  Json list = Json::array();
  for (const PermissionOption& option : options)
    list.push_back({{"optionId", option.id}, {"name", option.name}, {"kind", option.kind}});
  return list;
}

Json WriteForm(const Form& form, const std::string& session) {
  Json properties = Json::object(), required = Json::array();
  for (const FormField& field : form.fields) {
    Json one{{"type", "string"}, {"title", field.title}};
    if (!field.description.empty()) one["description"] = field.description;
    if (!field.choices.empty()) one["enum"] = field.choices;
    properties[field.id] = std::move(one);
    if (field.required) required.push_back(field.id);
  }
  Json schema{{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
  Json json{{"mode", "form"},
            {"sessionId", session},
            {"message", form.message},
            {"requestedSchema", std::move(schema)}};
  if (!form.tool_call.empty()) json["toolCallId"] = form.tool_call;
  return json;
}

Json WriteTerminalCommand(const TerminalCommand& command, const std::string& session) {
  Json json{{"sessionId", session}, {"command", command.command}, {"args", command.arguments}};
  if (!command.folder.empty()) json["cwd"] = command.folder;
  if (command.output_limit > 0) json["outputByteLimit"] = command.output_limit;
  return json;
}

Json WriteSessionEntry(const SessionEntry& entry) {
  Json json = Json::object();  // not from a list in braces, which copies: there are thousands of these
  json["sessionId"] = entry.id;
  json["cwd"] = entry.folder;
  if (!entry.more_folders.empty()) json["additionalDirectories"] = entry.more_folders;
  if (!entry.title.empty()) json["title"] = entry.title;
  if (!entry.updated_at.empty()) json["updatedAt"] = entry.updated_at;
  return json;
}

net::RpcError RpcErrorOf(const Error& error, Json data) {
  int code = net::kRpcInternalError;
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfRange:
      code = net::kRpcInvalidParams;
      break;
    case ErrorCode::kNotFound:
      code = kResourceNotFound;
      break;
    case ErrorCode::kCancelled:
      code = kRequestCancelled;
      break;
    default:
      break;
  }
  constexpr std::size_t kMostBytes = 2000;  // whatever it was made of
  return {.code = code,
          .message = error.message.size() > kMostBytes ? Excerpt(error.message, kMostBytes) : error.message,
          .data = std::move(data)};
}

}  // namespace gptoss::acp::v1
