// read_file and list_directory.
#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <system_error>

#include "agents/tool.h"
#include "base/utf8.h"

namespace gptoss::agents {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kMaxReadBytes = 32 << 20;
constexpr std::size_t kMaxShownBytes = 48 << 10;  // of one file, for the model
constexpr std::int64_t kMaxLines = 2000;
constexpr std::size_t kMaxEntries = 500;

ToolPreview ReadPreview(std::string_view verb, const ResolvedPath& path, const Workspace& workspace) {
  ToolPreview preview{.title = fmt::format("{} {}", verb, workspace.Display(path.path)),
                      .kind = acp::ToolKind::kRead};
  preview.locations = {{.path = path.path.string(), .line = std::nullopt}};
  preview.need = path.inside ? ToolPreview::Need::kNothing : ToolPreview::Need::kEachTime;
  return preview;
}

class ReadRun final : public ToolRun {
 public:
  ReadRun(ToolPreview preview, const SessionFiles& files, ResolvedPath path, std::int64_t line,
          std::int64_t limit)
      : ToolRun(std::move(preview)), files_(files), path_(std::move(path)), line_(line), limit_(limit) {}

  ToolOutcome Run(const ToolRunContext&) override {
    const auto text = files_.Read(path_, kMaxReadBytes);
    if (!text) return FailedOutcome(text.error().message);
    return {.text = Cut(*text)};
  }

 private:
  // The wanted lines, as many as fit.
  std::string Cut(std::string_view text) const {
    std::string shown;
    std::int64_t number = 0, last = 0;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
      const std::string_view line = text.substr(at, end - at);
      at = end;
      if (++number < line_) continue;
      if (number >= line_ + limit_ || shown.size() + line.size() > kMaxShownBytes) {
        at = end - line.size();
        break;
      }
      shown += line;
      last = number;
    }
    if (at < text.size() && last == 0 &&
        number >= line_) {  // one line that is longer than everything allowed
      return ReplaceInvalidUtf8(Abridge(text.substr(at), kMaxShownBytes));
    }
    shown = ReplaceInvalidUtf8(shown);
    if (shown.empty() && !text.empty())
      return fmt::format("[the file has {} lines; nothing from line {} on]", number, line_);
    if (at < text.size()) shown += fmt::format("[more follows: read on with \"line\": {}]", last + 1);
    return shown;
  }

  const SessionFiles& files_;
  ResolvedPath path_;
  std::int64_t line_, limit_;
};

class ReadFileTool final : public Tool {
 public:
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope& scope) override {
    const Workspace& workspace = scope.workspace;
    GPTOSS_TRY(const std::string text, TextArgument(arguments, "path"));
    GPTOSS_TRY(const std::int64_t line, IntegerArgumentOr(arguments, "line", 1));
    GPTOSS_TRY(const std::int64_t limit, IntegerArgumentOr(arguments, "limit", kMaxLines));
    GPTOSS_TRY(ResolvedPath path, workspace.Resolve(text));
    ToolPreview preview = ReadPreview("Read", path, workspace);
    const std::int64_t first = std::clamp<std::int64_t>(line, 1, UINT32_MAX);
    if (line > 1) preview.locations.front().line = static_cast<std::uint32_t>(first);
    return std::make_unique<ReadRun>(std::move(preview), scope.files, std::move(path), first,
                                     std::clamp<std::int64_t>(limit, 1, kMaxLines));
  }

 private:
  const harmony::ToolDescription description_ = {
      .name = "read_file",
      .description = "Reads a text file from the workspace",
      .parameters = ParametersSchema({{"path", "string", "Path of the file"},
                                      {"line", "number", "First line to read, from 1", false},
                                      {"limit", "number", "How many lines", false}})};
};

class ListRun final : public ToolRun {
 public:
  ListRun(ToolPreview preview, ResolvedPath path) : ToolRun(std::move(preview)), path_(std::move(path)) {}

  ToolOutcome Run(const ToolRunContext&) override {
    std::error_code error;
    fs::directory_iterator entries(path_.path, error);
    if (error) return FailedOutcome(fmt::format("{}: {}", path_.path.string(), error.message()));
    std::vector<std::string> names;
    for (; entries != fs::directory_iterator(); entries.increment(error)) {
      std::error_code none;
      std::string name = entries->path().filename().string();
      if (entries->is_directory(none)) name += "/";
      names.push_back(ReplaceInvalidUtf8(name));
      if (error) break;
    }
    std::ranges::sort(names);
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kMaxEntries); ++i) text += names[i] + "\n";
    if (names.size() > kMaxEntries) text += fmt::format("[and {} more]\n", names.size() - kMaxEntries);
    if (text.empty()) text = "[the folder is empty]";
    return {.text = std::move(text)};
  }

 private:
  ResolvedPath path_;
};

class ListDirectoryTool final : public Tool {
 public:
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope& scope) override {
    const Workspace& workspace = scope.workspace;
    GPTOSS_TRY(ResolvedPath path, workspace.Resolve(TextArgumentOr(arguments, "path", ".")));
    ToolPreview preview = ReadPreview("List", path, workspace);
    return std::make_unique<ListRun>(std::move(preview), std::move(path));
  }

 private:
  const harmony::ToolDescription description_ = {
      .name = "list_directory",
      .description = "Lists the files of a folder",
      .parameters = ParametersSchema({{"path", "string", "Path of the folder"}})};
};

}  // namespace

std::unique_ptr<Tool> MakeReadFileTool() { return std::make_unique<ReadFileTool>(); }
std::unique_ptr<Tool> MakeListDirectoryTool() { return std::make_unique<ListDirectoryTool>(); }

}  // namespace gptoss::agents
