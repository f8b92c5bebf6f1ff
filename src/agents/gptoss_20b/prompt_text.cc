#include "agents/gptoss_20b/prompt_text.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "agents/tool.h"
#include "base/utf8.h"

namespace gptoss::agents {
namespace {

constexpr std::size_t kMaxFileBytes = 48 << 10;  // of one linked or embedded file, for the model

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Attached(std::string_view name, std::string_view text) {
  return fmt::format("\n<file path=\"{}\">\n{}\n</file>\n", name, Abridge(text, kMaxFileBytes));
}

// nullopt: it is not there to be read here; the model may ask for it with its tools.
std::optional<std::string> LinkedFile(const std::string& path, const Workspace& workspace, TurnSink& sink) {
  const auto resolved = workspace.Resolve(path);
  if (!resolved || !resolved->inside) return std::nullopt;
  if (sink.client().read_files) {
    if (auto text = sink.ReadThroughClient(path)) return std::move(*text);
  }
  auto text = ReadTextFile(*resolved);
  return text ? std::optional(std::move(*text)) : std::nullopt;
}

}  // namespace

std::string PathOfUri(std::string_view uri) {
  constexpr std::string_view kScheme = "file://";
  if (!uri.starts_with(kScheme)) return "";
  uri.remove_prefix(kScheme.size());
  if (uri.starts_with("localhost/")) uri.remove_prefix(9);
  uri = uri.substr(0, uri.find_first_of("?#"));
  if (!uri.starts_with('/')) return "";
  std::string path;
  for (std::size_t i = 0; i < uri.size(); ++i) {
    const int high = i + 2 < uri.size() && uri[i] == '%' ? HexDigit(uri[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(uri[i + 2]) : -1;
    if (low >= 0) {
      path += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      path += uri[i];
    }
  }
  return path;
}

std::string Instructions(const Workspace& workspace, bool small) {
  if (small) return "";
  std::string text = fmt::format(
      "You are gptoss, a coding agent on the user's own machine. You work in the folder {}. Use the tools to "
      "look at "
      "files before you speak about them or change them, and to check what you did. Prefer apply_patch or "
      "edit_file to "
      "write_file for files that exist. Keep to what was asked. For longer tasks show your steps with "
      "update_plan. Say "
      "in a few words what you did; the user sees the changes themselves.",
      workspace.folder().string());
  for (std::size_t i = 1; i < workspace.roots().size(); ++i)
    text += fmt::format(" You may also work in {}.", workspace.roots()[i].string());
  return text;
}

Result<std::string> PromptText(const std::vector<acp::ContentBlock>& prompt, const Workspace& workspace,
                               TurnSink& sink) {
  using Type = acp::ContentBlock::Type;
  std::string text, attached;
  for (const acp::ContentBlock& block : prompt) {
    switch (block.type) {
      case Type::kText:
        text += block.text;
        break;
      case Type::kResourceLink: {
        const std::string path = PathOfUri(block.uri);
        text += path.empty() ? fmt::format("[{}]({})", block.name, block.uri) : path;
        if (path.empty()) break;
        if (const auto content = LinkedFile(path, workspace, sink)) attached += Attached(path, *content);
        break;
      }
      case Type::kResource: {
        const std::string path = PathOfUri(block.uri);
        if (!block.has_text)
          return Fail(ErrorCode::kInvalidArgument,
                      fmt::format("{} is embedded as bytes; this model reads text only", block.uri));
        attached += Attached(path.empty() ? block.uri : path, block.text);
        break;
      }
      case Type::kImage:
      case Type::kAudio:
        return Fail(ErrorCode::kInvalidArgument, "this model reads text only: no images and no sound");
    }
  }
  text += attached;
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, "the prompt is empty");
  return ReplaceInvalidUtf8(text);
}

}  // namespace gptoss::agents
