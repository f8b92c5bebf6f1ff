// search: lines that match, in the files that git would track.
#include <fmt/format.h>
#include <regex.h>

#include <algorithm>
#include <system_error>

#include "agents/tool.h"
#include "agents/tools/ignore_rules.h"
#include "base/utf8.h"

namespace gptoss::agents {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxMatches = 200, kMaxLineBytes = 400, kMaxSearchedLine = 20'000;
constexpr std::uint64_t kMaxSearchedFile = 4 << 20;
constexpr std::size_t kMaxFolders = 100'000;

// POSIX extended expressions, which the system's matcher decides without backtracking. \d is spelled out for
// them.
class Pattern {
 public:
  static Result<std::unique_ptr<Pattern>> Make(std::string_view text, bool ignore_case) {
    std::string posix;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        posix += text[i];
        continue;
      }
      const char next = text[++i];
      if (next >= '1' && next <= '9')
        return Fail(ErrorCode::kInvalidArgument, "back-references are not supported in \"pattern\"");
      if (next == 'd') {
        posix += "[0-9]";
      } else if (next == 'D') {
        posix += "[^0-9]";
      } else if (next == 't') {
        posix += '\t';
      } else {
        posix += '\\';
        posix += next;
      }
    }
    auto pattern = std::unique_ptr<Pattern>(new Pattern());
    const int code = ::regcomp(&pattern->compiled_, posix.c_str(),
                               REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0));
    if (code != 0) {
      char message[200];
      ::regerror(code, &pattern->compiled_, message, sizeof message);
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("\"pattern\" is no regular expression: {}", message));
    }
    pattern->made_ = true;
    return pattern;
  }
  ~Pattern() {
    if (made_) ::regfree(&compiled_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  bool Matches(const std::string& line) const {
    return ::regexec(&compiled_, line.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  Pattern() = default;
  regex_t compiled_{};
  bool made_ = false;
};

class SearchRun final : public ToolRun {
 public:
  SearchRun(ToolPreview preview, ResolvedPath start, std::unique_ptr<Pattern> pattern, std::string files)
      : ToolRun(std::move(preview)),
        start_(std::move(start)),
        pattern_(std::move(pattern)),
        files_(std::move(files)) {}

  ToolOutcome Run(const ToolRunContext& context) override {
    std::error_code error;
    if (fs::is_directory(start_.path, error)) {
      Walk(context);
    } else {
      SearchFile(start_.path, start_.path.filename().string());
    }
    if (context.cancel.cancelled()) return FailedOutcome("[cancelled]");
    if (!trouble_.empty() && shown_ == 0) return FailedOutcome(trouble_);
    if (shown_ == 0) text_ = "[no matches]";
    if (shown_ >= kMaxMatches) text_ += fmt::format("[stopped after {} matches]\n", kMaxMatches);
    ToolOutcome outcome{.text = text_};
    outcome.locations = locations_;
    return outcome;
  }

 private:
  struct Folder {
    fs::path path;
    std::string relative;                                    // to the start; "" or ending in a slash
    std::vector<std::pair<std::size_t, IgnoreRules>> rules;  // with the length of the folder they stand in
  };

  // Depth first, in the order of names; rules are inherited by what lies below.
  void Walk(const ToolRunContext& context) {
    std::vector<Folder> stack;
    stack.push_back({.path = start_.path, .relative = "", .rules = {}});
    for (std::size_t seen = 0; !stack.empty() && shown_ < kMaxMatches && seen < kMaxFolders; ++seen) {
      if (context.cancel.cancelled()) return;
      Folder folder = std::move(stack.back());
      stack.pop_back();
      if (const auto rules = ReadTextFile({.path = folder.path / ".gitignore"}, 1 << 20))
        folder.rules.emplace_back(folder.relative.size(), IgnoreRules::Parse(*rules));
      VisitFolder(folder, stack, context);
    }
  }

  void VisitFolder(const Folder& folder, std::vector<Folder>& stack, const ToolRunContext& context) {
    std::error_code error;
    std::vector<fs::path> entries;
    for (fs::directory_iterator at(folder.path, error), end; !error && at != end; at.increment(error))
      entries.push_back(at->path());
    std::ranges::sort(entries);
    std::vector<Folder> below;
    for (const fs::path& entry : entries) {
      std::error_code none;
      const fs::file_status status = fs::symlink_status(entry, none);  // links are not followed
      const bool is_folder = fs::is_directory(status);
      if ((!is_folder && !fs::is_regular_file(status)) || entry.filename() == ".git") continue;
      const std::string relative = folder.relative + entry.filename().string();
      if (Ignored(folder, relative, is_folder)) continue;
      if (is_folder) {
        below.push_back({.path = entry, .relative = relative + "/", .rules = folder.rules});
      } else if (Wanted(relative) && shown_ < kMaxMatches && !context.cancel.cancelled()) {
        SearchFile(entry, relative);
      }
    }
    std::ranges::move(below.rbegin(), below.rend(), std::back_inserter(stack));
  }

  static bool Ignored(const Folder& folder, std::string_view relative, bool is_folder) {
    for (auto rules = folder.rules.rbegin(); rules != folder.rules.rend(); ++rules) {
      const auto verdict = rules->second.Judge(relative.substr(rules->first), is_folder);
      if (verdict != IgnoreRules::Verdict::kNothing) return verdict == IgnoreRules::Verdict::kIgnored;
    }
    return false;
  }
  bool Wanted(std::string_view relative) const {
    if (files_.empty()) return true;
    const bool with_folder = files_.find('/') != std::string::npos;
    return GlobMatches(files_, with_folder ? relative : relative.substr(relative.rfind('/') + 1));
  }

  void SearchFile(const fs::path& path, const std::string& shown_path) {
    const auto text = ReadTextFile({.path = path}, kMaxSearchedFile);
    if (!text) {
      trouble_ = text.error().message;
      return;
    }
    std::uint32_t number = 0;
    for (std::size_t at = 0; at < text->size() && shown_ < kMaxMatches;) {
      const std::size_t end = std::min(text->find('\n', at), text->size());
      ++number;
      const std::string line = text->substr(at, std::min(end - at, kMaxSearchedLine));
      at = end + 1;
      if (!pattern_->Matches(line)) continue;
      ++shown_;
      text_ +=
          fmt::format("{}:{}:{}\n", ReplaceInvalidUtf8(shown_path), number, Abridge(line, kMaxLineBytes));
      if (locations_.size() < 20) locations_.push_back({.path = path.string(), .line = number});
    }
  }

  ResolvedPath start_;
  std::unique_ptr<Pattern> pattern_;
  std::string files_, text_, trouble_;
  std::size_t shown_ = 0;
  std::vector<acp::Location> locations_;
};

class SearchTool final : public Tool {
 public:
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope& scope) override {
    const Workspace& workspace = scope.workspace;
    GPTOSS_TRY(const std::string pattern, TextArgument(arguments, "pattern"));
    GPTOSS_TRY(ResolvedPath start, workspace.Resolve(TextArgumentOr(arguments, "path", ".")));
    GPTOSS_TRY(auto compiled, Pattern::Make(pattern, BoolArgumentOr(arguments, "ignore_case", false)));
    ToolPreview preview{.title = fmt::format("Search for '{}' in {}", pattern, workspace.Display(start.path)),
                        .kind = acp::ToolKind::kSearch};
    preview.locations = {{.path = start.path.string(), .line = std::nullopt}};
    preview.need = start.inside ? ToolPreview::Need::kNothing : ToolPreview::Need::kEachTime;
    return std::make_unique<SearchRun>(std::move(preview), std::move(start), std::move(compiled),
                                       TextArgumentOr(arguments, "files", ""));
  }

 private:
  const harmony::ToolDescription description_ = {
      .name = "search",
      .description =
          "Searches the files of a folder for lines that match a regular expression; files that git ignores "
          "are left out",
      .parameters =
          ParametersSchema({{"pattern", "string", "Extended regular expression"},
                            {"path", "string", "Folder or file; default: the workspace", false},
                            {"files", "string", "Only files that match this glob, such as *.cc", false},
                            {"ignore_case", "boolean", "", false}})};
};

}  // namespace

std::unique_ptr<Tool> MakeSearchTool() { return std::make_unique<SearchTool>(); }

}  // namespace gptoss::agents
