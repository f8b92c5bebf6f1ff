#include "agents/gptoss_20b/prompt_text.h"

#include <fmt/format.h>

#include <utility>

#include "agents/session_files.h"
#include "agents/tool.h"
#include "base/text.h"
#include "base/utf8.h"

namespace gptoss::agents {
namespace {

constexpr std::size_t kMaxFileBytes = 48 << 10;       // of one linked or embedded file, for the model
constexpr std::size_t kMaxAttachedBytes = 512 << 10;  // of all of a prompt; no context holds more
constexpr int kMaxLinks = 100;
constexpr std::size_t kMaxPathBytes = 4096;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string Decoded(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = i + 2 < text.size() && text[i] == '%' ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    bytes += low >= 0 ? static_cast<char>(high * 16 + low) : text[i];
    if (low >= 0) i += 2;
  }
  return bytes;
}

// The files of one prompt. What cannot be read is said: the model must not guess what stands there.
class Attachments {
 public:
  Attachments(const Workspace& workspace, TurnSink& sink) : workspace_(workspace), files_(workspace, sink) {}

  // How the link is named in the text. An error only where the turn is cancelled.
  Result<std::string> Link(const acp::ContentBlock& block) {
    const auto path = PathOfUri(block.uri);
    if (!path) {
      const std::string name =
          fmt::format("[{}]({})", Excerpt(block.name, kMessageBytes), Excerpt(block.uri, 2000));
      NotRead(Excerpt(block.uri, kMessageBytes), path.error().message);
      return name;
    }
    if (Full() || links_ == kMaxLinks) {
      ++left_out_;
      return *path;
    }
    ++links_;
    const auto text = Read(*path);
    if (!text && text.error().code == ErrorCode::kCancelled) return std::unexpected(text.error());
    if (text) {
      Attach(*path, *text);
    } else {
      NotRead(*path, text.error().message);
    }
    return *path;
  }
  void Embed(const acp::ContentBlock& block) {
    if (Full()) {
      ++left_out_;
      return;
    }
    const auto path = PathOfUri(block.uri);
    Attach(path ? *path : Excerpt(block.uri, 2000), block.text);
  }
  std::string Take() {
    if (left_out_ > 0)
      text_ += fmt::format("\n[{} more attachments were left out: too much at once]\n", left_out_);
    return std::move(text_);
  }

 private:
  bool Full() const { return text_.size() >= kMaxAttachedBytes; }
  Result<std::string> Read(const std::string& path) const {
    GPTOSS_TRY(const ResolvedPath resolved, workspace_.Resolve(path));
    if (!resolved.inside)
      return Fail(ErrorCode::kPermissionDenied,
                  "it is outside the folders of this session; a tool may ask for it");
    return files_.Read(resolved);
  }
  void Attach(std::string_view name, std::string_view text) {
    text_ += fmt::format("\n<file path=\"{}\">\n{}\n</file>\n", name, Abridge(text, kMaxFileBytes));
  }
  void NotRead(std::string_view name, std::string_view why) {
    text_ += fmt::format("\n[{} was not read: {}]\n", name, Excerpt(why, 2 * kMessageBytes));
  }

  const Workspace& workspace_;
  const SessionFiles files_;
  std::string text_;
  int links_ = 0, left_out_ = 0;
};

}  // namespace

Result<std::string> PathOfUri(std::string_view uri) {
  constexpr std::string_view kScheme = "file:";
  if (Lower(uri.substr(0, kScheme.size())) != kScheme)
    return Fail(ErrorCode::kUnsupported, "only links to files are read (file:///…)");
  uri.remove_prefix(kScheme.size());
  uri = uri.substr(0, uri.find_first_of("?#"));
  if (uri.starts_with("//")) {
    uri.remove_prefix(2);
    const std::string_view host = uri.substr(0, uri.find('/'));
    if (!host.empty() && Lower(host) != "localhost")
      return Fail(ErrorCode::kUnsupported, fmt::format("it is of another machine, {}", Excerpt(host)));
    uri.remove_prefix(host.size());
  }
  if (!uri.starts_with('/')) return Fail(ErrorCode::kInvalidArgument, "its path does not begin at the root");
  std::string path = Decoded(uri);
  if (path.find('\0') != std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, "there is a NUL in its path");
  if (path.size() > kMaxPathBytes) return Fail(ErrorCode::kInvalidArgument, "its path is too long");
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
  std::string text;
  Attachments attached(workspace, sink);
  for (const acp::ContentBlock& block : prompt) {
    switch (block.type) {
      case Type::kText:
        text += block.text;
        break;
      case Type::kResourceLink: {
        GPTOSS_TRY(const std::string name, attached.Link(block));
        text += name;
        break;
      }
      case Type::kResource:
        if (!block.has_text)
          return Fail(ErrorCode::kInvalidArgument,
                      fmt::format("{} is embedded as bytes; this model reads text only",
                                  Excerpt(block.uri, kMessageBytes)));
        attached.Embed(block);
        break;
      case Type::kImage:
      case Type::kAudio:
        return Fail(ErrorCode::kInvalidArgument, "this model reads text only: no images and no sound");
    }
  }
  text += attached.Take();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, "the prompt is empty");
  return ReplaceInvalidUtf8(text);
}

}  // namespace gptoss::agents
