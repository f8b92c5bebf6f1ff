#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "acp/v1.h"
#include "base/text.h"

namespace gptoss::acp::v1 {
namespace {

std::unexpected<Error> Bad(std::string_view where, std::string_view expected) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: expected {}", where, expected));
}

const Json* Find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}
const Json* Find(const Json& object, std::string_view key, std::string_view inner) {
  const Json* outer = Find(object, key);
  return outer == nullptr ? nullptr : Find(*outer, inner);
}
bool IsTrue(const Json* value) { return value != nullptr && value->is_boolean() && value->get<bool>(); }
bool IsMarked(const Json* value) { return value != nullptr && value->is_object(); }
std::string TextOr(const Json& object, std::string_view key) {
  const Json* value = Find(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

Result<std::string> ReadAbsolute(const Json& value, std::string_view where) {
  if (!value.is_string()) return Bad(where, "an absolute path");
  auto path = value.get<std::string>();
  if (!std::filesystem::path(path).is_absolute() || path.find('\0') != std::string::npos)
    return Bad(where, fmt::format("an absolute path, not '{}'", Excerpt(path, kMessageBytes)));
  return path;
}

// [{name, value}]
Result<std::vector<std::pair<std::string, std::string>>> ReadPairs(const Json* list, std::string_view where) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (list == nullptr) return pairs;
  if (!list->is_array()) return Bad(where, "an array");
  for (const Json& item : *list) {
    GPTOSS_TRY(std::string name, ReadText(item, "name"));
    GPTOSS_TRY(std::string value, ReadText(item, "value"));
    if (name.empty() || name.find_first_of(std::string_view("=\0\r\n", 4)) != std::string::npos ||
        value.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos)
      return Bad(where, "names and values of one line");
    pairs.emplace_back(std::move(name), std::move(value));
  }
  return pairs;
}

Result<McpServer> ReadServer(const Json& json) {
  McpServer server;
  GPTOSS_TRY(server.name, ReadText(json, "name"));
  const std::string type = TextOr(json, "type");
  if (type == "http" || type == "sse") {
    server.kind = type == "http" ? McpServer::Kind::kHttp : McpServer::Kind::kSse;
    GPTOSS_TRY(server.url, ReadText(json, "url"));
    GPTOSS_TRY(server.headers, ReadPairs(Find(json, "headers"), "mcpServers[].headers"));
    return server;
  }
  GPTOSS_TRY(server.command, ReadText(json, "command"));
  if (const Json* arguments = Find(json, "args")) {
    if (!arguments->is_array()) return Bad("mcpServers[].args", "an array of strings");
    for (const Json& argument : *arguments) {
      if (!argument.is_string()) return Bad("mcpServers[].args", "an array of strings");
      server.arguments.push_back(argument.get<std::string>());
    }
  }
  GPTOSS_TRY(server.environment, ReadPairs(Find(json, "env"), "mcpServers[].env"));
  return server;
}

Result<ContentBlock> ReadBlock(const Json& json) {
  ContentBlock block;
  block.source = json;
  const std::string type = TextOr(json, "type");
  if (type == "text") {
    GPTOSS_TRY(block.text, ReadText(json, "text"));
    return block;
  }
  if (type == "resource_link") {
    block.type = ContentBlock::Type::kResourceLink;
    GPTOSS_TRY(block.uri, ReadText(json, "uri"));
    GPTOSS_TRY(block.name, ReadText(json, "name"));
    block.mime = TextOr(json, "mimeType");
    return block;
  }
  if (type == "resource") {
    block.type = ContentBlock::Type::kResource;
    const Json* resource = Find(json, "resource");
    if (resource == nullptr) return Bad("prompt[].resource", "an object");
    GPTOSS_TRY(block.uri, ReadText(*resource, "uri"));
    block.mime = TextOr(*resource, "mimeType");
    const Json* text = Find(*resource, "text");
    block.has_text = text != nullptr && text->is_string();
    if (block.has_text) block.text = text->get<std::string>();
    return block;
  }
  if (type == "image" || type == "audio") {
    block.type = type == "image" ? ContentBlock::Type::kImage : ContentBlock::Type::kAudio;
    return block;
  }
  return Bad("prompt[].type", "text, resource_link, resource, image or audio");
}

}  // namespace

ClientTraits ReadClientTraits(const Json& initialize) {
  ClientTraits traits;
  const Json* found = Find(initialize, "clientCapabilities");
  if (found == nullptr) return traits;
  const Json& client = *found;
  traits.read_files = IsTrue(Find(client, "fs", "readTextFile"));
  traits.write_files = IsTrue(Find(client, "fs", "writeTextFile"));
  traits.terminals = IsTrue(Find(client, "terminal"));
  traits.terminal_auth = IsTrue(Find(client, "auth", "terminal"));
  if (const Json* session = Find(client, "session")) {
    traits.boolean_options = IsMarked(Find(*session, "configOptions", "boolean"));
    traits.notices = IsMarked(Find(*session, "notices"));
    traits.compaction = IsMarked(Find(*session, "compaction"));
  }
  traits.elicitation_form = IsMarked(Find(client, "elicitation", "form"));
  traits.elicitation_url = IsMarked(Find(client, "elicitation", "url"));
  traits.display_terminals = IsTrue(Find(client, "_meta", "terminal_output"));
  return traits;
}

Result<std::string> ReadText(const Json& params, std::string_view key) {
  const Json* value = Find(params, key);
  if (value == nullptr || !value->is_string()) return Bad(key, "a string");
  return value->get<std::string>();
}

Result<OpenSession> ReadOpenSession(const Json& params, bool needs_id, bool needs_servers) {
  OpenSession open;
  if (needs_id) {
    GPTOSS_TRY(open.id, ReadText(params, "sessionId"));
  }
  const Json* folder = Find(params, "cwd");
  if (folder == nullptr) return Bad("cwd", "an absolute path");
  GPTOSS_TRY(open.folder, ReadAbsolute(*folder, "cwd"));
  if (const Json* more = Find(params, "additionalDirectories")) {
    if (!more->is_array()) return Bad("additionalDirectories", "an array of absolute paths");
    for (const Json& path : *more) {
      GPTOSS_TRY(std::string absolute, ReadAbsolute(path, "additionalDirectories"));
      open.more_folders.push_back(std::move(absolute));
    }
  }
  const Json* servers = Find(params, "mcpServers");
  if (servers == nullptr && !needs_servers) return open;
  if (servers == nullptr || !servers->is_array()) return Bad("mcpServers", "an array");
  for (const Json& server : *servers) {
    auto read = ReadServer(server);
    if (!read) return std::unexpected(std::move(read).error().Within("mcpServers"));
    open.mcp_servers.push_back(std::move(*read));
  }
  return open;
}

Result<ListFilter> ReadListFilter(const Json& params) {
  ListFilter filter;
  if (const Json* folder = Find(params, "cwd")) {
    GPTOSS_TRY(filter.folder, ReadAbsolute(*folder, "cwd"));
  }
  if (Find(params, "cursor") != nullptr) {
    GPTOSS_TRY(filter.cursor, ReadText(params, "cursor"));
  }
  return filter;
}

Result<std::vector<ContentBlock>> ReadPrompt(const Json& params) {
  const Json* blocks = Find(params, "prompt");
  if (blocks == nullptr || !blocks->is_array()) return Bad("prompt", "an array of content blocks");
  std::vector<ContentBlock> prompt;
  for (const Json& json : *blocks) {
    GPTOSS_TRY(ContentBlock block, ReadBlock(json));
    prompt.push_back(std::move(block));
  }
  return prompt;
}

Result<std::string> ReadOptionValue(const Json& params) {
  const Json* value = Find(params, "value");
  if (value != nullptr && value->is_boolean()) return value->get<bool>() ? "on" : "off";
  if (value == nullptr || !value->is_string()) return Bad("value", "a string, or true or false");
  return value->get<std::string>();
}

PermissionOutcome ReadPermissionOutcome(const net::RpcReply& reply) {
  if (!reply) return {};
  const Json* outcome = Find(*reply, "outcome");
  if (outcome == nullptr) return {};
  const std::string kind = TextOr(*outcome, "outcome");
  if (kind == "cancelled") return {.kind = PermissionOutcome::Kind::kCancelled, .option = {}};
  std::string option = TextOr(*outcome, "optionId");
  if (kind != "selected" || option.empty()) return {};
  return {.kind = PermissionOutcome::Kind::kSelected, .option = std::move(option)};
}

FormOutcome ReadFormOutcome(const Json& result) {
  using Kind = FormOutcome::Kind;
  const std::string action = TextOr(result, "action");
  if (action == "decline") return {.kind = Kind::kDeclined, .answers = {}};
  if (action == "cancel") return {.kind = Kind::kDismissed, .answers = {}};
  if (action != "accept") return {};
  FormOutcome outcome{.kind = Kind::kAccepted, .answers = {}};
  const Json* content = Find(result, "content");
  if (content == nullptr || !content->is_object()) return outcome;
  for (const auto& [field, value] : content->items()) {
    if (value.is_string()) outcome.answers.emplace_back(field, value.get<std::string>());
  }
  return outcome;
}

TerminalExit ReadTerminalExit(const Json& result) {
  TerminalExit exit;
  if (const Json* code = Find(result, "exitCode"); code != nullptr && code->is_number_integer())
    exit.code = code->get<std::int64_t>();
  if (const Json* signal = Find(result, "signal"); signal != nullptr && signal->is_string())
    exit.signal = signal->get<std::string>();
  return exit;
}

Result<TerminalOutput> ReadTerminalOutput(const Json& result) {
  const Json* output = Find(result, "output");
  if (output == nullptr || !output->is_string())
    return Fail(ErrorCode::kInternal, "the client answered without output");
  return TerminalOutput{.output = output->get<std::string>(), .truncated = IsTrue(Find(result, "truncated"))};
}

Json ReadTraceContext(const Json& params) {
  Json trace;
  const Json* meta = Find(params, "_meta");
  if (meta == nullptr) return trace;
  for (const char* key : {"traceparent", "tracestate", "baggage"}) {
    const Json* value = Find(*meta, key);
    if (value != nullptr && value->is_string()) trace[key] = *value;
  }
  return trace;
}

}  // namespace gptoss::acp::v1
