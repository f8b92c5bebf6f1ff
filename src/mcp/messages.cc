#include "mcp/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace gptoss::mcp {
namespace {

constexpr std::array<std::string_view, 4> kSpoken = {"2025-11-25", kProtocolVersion, "2025-03-26",
                                                     "2024-11-05"};
constexpr std::size_t kMaxTools = 500;

void AppendBlock(const Json& block, std::string& text) {
  const std::string type = TextOf(block, "type");
  std::string piece;
  if (type == "text") {
    piece = TextOf(block, "text");
  } else if (type == "resource" && block.contains("resource")) {
    piece = TextOf(block["resource"], "text");
    if (piece.empty())
      piece = fmt::format("[resource {}]", Excerpt(TextOf(block["resource"], "uri"), kMessageBytes));
  } else if (type == "resource_link") {
    piece = fmt::format("[resource {}]", Excerpt(TextOf(block, "uri"), kMessageBytes));
  } else {
    piece = fmt::format("[{}, not shown]", type.empty() ? "content" : Excerpt(type, kMessageBytes));
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += piece;
}

}  // namespace

Json InitializeParams(std::string_view program_version) {
  return Json{{"protocolVersion", kProtocolVersion},
              {"capabilities", Json::object()},
              {"clientInfo", {{"name", "gptoss"}, {"version", program_version}}}};
}

Result<std::string> ReadInitializeResult(const Json& result) {
  std::string version = TextOf(result, "protocolVersion");
  if (version.empty()) return Fail(ErrorCode::kDataLoss, "it answered initialize without a protocolVersion");
  if (std::ranges::find(kSpoken, version) == kSpoken.end())
    return Fail(ErrorCode::kUnsupported, fmt::format("it speaks version {} of MCP, which is not known here",
                                                     Excerpt(version, kMessageBytes)));
  return version;
}

std::string ReadToolPage(const Json& result, std::vector<ToolInfo>& tools) {
  if (!result.is_object()) return "";
  const auto list = result.find("tools");
  if (list == result.end() || !list->is_array()) return "";
  for (const Json& json : *list) {
    ToolInfo tool{.name = TextOf(json, "name"),
                  .title = TextOf(json, "title"),
                  .description = TextOf(json, "description")};
    if (tool.name.empty() || tools.size() >= kMaxTools) continue;
    const auto schema = json.find("inputSchema");
    tool.input_schema = schema != json.end() && schema->is_object() ? *schema : Json{{"type", "object"}};
    tools.push_back(std::move(tool));
  }
  return TextOf(result, "nextCursor");
}

CallResult ReadCallResult(const Json& result) {
  CallResult read;
  if (!result.is_object()) return {.text = "[the server answered with nothing]", .failed = true};
  const auto failed = result.find("isError");
  read.failed = failed != result.end() && failed->is_boolean() && failed->get<bool>();
  if (const auto structured = result.find("structuredContent"); structured != result.end())
    read.structured = *structured;
  const auto content = result.find("content");
  if (content != result.end() && content->is_array()) {
    for (const Json& block : *content) AppendBlock(block, read.text);
  }
  if (read.text.empty() && !read.structured.is_null()) read.text = DumpJson(read.structured);
  return read;
}

}  // namespace gptoss::mcp
