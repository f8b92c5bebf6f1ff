#include "agents/tools/patch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gptoss::agents {
namespace {

std::vector<std::string> SplitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string_view Trimmed(std::string_view text, bool both_ends) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  while (both_ends && !text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

constexpr std::string_view kBegin = "*** Begin Patch", kEnd = "*** End Patch", kAdd = "*** Add File: ",
                           kUpdate = "*** Update File: ", kDelete = "*** Delete File: ",
                           kMove = "*** Move to: ", kEndOfFile = "*** End of File";

class Parser {
 public:
  explicit Parser(std::string_view text) : lines_(SplitLines(text)) {}

  Result<std::vector<FilePatch>> Parse() {
    while (at_ < lines_.size() && Trimmed(lines_[at_], true).empty()) ++at_;
    if (at_ == lines_.size() || Trimmed(lines_[at_], true) != kBegin)
      return Bad("expected '*** Begin Patch'");
    ++at_;
    std::vector<FilePatch> files;
    while (at_ < lines_.size()) {
      const std::string line(Trimmed(lines_[at_], true));
      if (line.empty()) {
        ++at_;
        continue;
      }
      if (line == kEnd) {
        if (files.empty()) return Bad("the patch changes no file");
        return files;
      }
      GPTOSS_TRY(FilePatch file, ReadFile(line));
      files.push_back(std::move(file));
    }
    return Bad("expected '*** End Patch' at the end");
  }

 private:
  std::unexpected<Error> Bad(std::string_view what) const {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("line {} of the patch: {}", at_ + 1, what));
  }
  bool AtHeader() const {
    return at_ >= lines_.size() ||
           (lines_[at_].starts_with("*** ") && Trimmed(lines_[at_], false) != kEndOfFile);
  }

  Result<FilePatch> ReadFile(const std::string& line) {
    FilePatch file;
    const auto take = [&](std::string_view prefix) {
      if (!line.starts_with(prefix)) return false;
      file.path = Trimmed(std::string_view(line).substr(prefix.size()), true);
      return !file.path.empty();
    };
    if (take(kAdd)) {
      file.kind = FilePatch::Kind::kAdd;
      ++at_;
      for (; !AtHeader(); ++at_) {
        if (!lines_[at_].starts_with('+')) return Bad("every line of a new file begins with '+'");
        file.text += std::string_view(lines_[at_]).substr(1);
        file.text += '\n';
      }
      return file;
    }
    if (take(kDelete)) {
      file.kind = FilePatch::Kind::kDelete;
      ++at_;
      return file;
    }
    if (!take(kUpdate))
      return Bad("expected '*** Add File: ', '*** Update File: ' or '*** Delete File: ' and a path");
    ++at_;
    if (at_ < lines_.size() && lines_[at_].starts_with(kMove)) {
      file.move_to = Trimmed(std::string_view(lines_[at_]).substr(kMove.size()), true);
      ++at_;
    }
    while (!AtHeader()) {
      GPTOSS_TRY(PatchHunk hunk, ReadHunk());
      file.hunks.push_back(std::move(hunk));
    }
    if (file.hunks.empty() && !file.move_to) return Bad(fmt::format("'{}' has no changes", file.path));
    return file;
  }

  Result<PatchHunk> ReadHunk() {
    PatchHunk hunk;
    for (; !AtHeader() && lines_[at_].starts_with("@@"); ++at_) {
      std::string_view anchor = Trimmed(std::string_view(lines_[at_]).substr(2), true);
      // "@@ -1,2 +3,4 @@" of other tools says nothing that can be trusted.
      if (anchor.starts_with('-') || anchor.empty()) continue;
      hunk.anchors.emplace_back(anchor);
    }
    bool changes = false;
    for (; !AtHeader() && !lines_[at_].starts_with("@@"); ++at_) {
      const std::string& line = lines_[at_];
      if (Trimmed(line, false) == kEndOfFile) {
        hunk.at_end = true;
        ++at_;
        break;
      }
      const std::string_view rest = line.empty() ? std::string_view() : std::string_view(line).substr(1);
      switch (line.empty() ? ' ' : line.front()) {
        case ' ':
          hunk.before.emplace_back(rest);
          hunk.after.emplace_back(rest);
          break;
        case '-':
          hunk.before.emplace_back(rest);
          changes = true;
          break;
        case '+':
          hunk.after.emplace_back(rest);
          changes = true;
          break;
        default:
          return Bad("a line begins with ' ', '-', '+' or '@@'");
      }
    }
    if (!changes) return Bad("a part of the patch without '-' or '+' lines");
    return hunk;
  }

  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

bool SameLine(const std::string& have, const std::string& wanted, int leniency) {
  if (leniency == 0) return have == wanted;
  return Trimmed(have, leniency > 1) == Trimmed(wanted, leniency > 1);
}

// Where `wanted` stands at or behind `from`.
std::optional<std::size_t> FindLines(const std::vector<std::string>& lines,
                                     const std::vector<std::string>& wanted, std::size_t from, bool at_end) {
  if (wanted.size() > lines.size()) return std::nullopt;
  const std::size_t last = lines.size() - wanted.size();
  for (int leniency = 0; leniency < 3; ++leniency) {
    for (std::size_t at = at_end ? std::max(last, from) : from; at <= last; ++at) {
      std::size_t i = 0;
      while (i < wanted.size() && SameLine(lines[at + i], wanted[i], leniency)) ++i;
      if (i == wanted.size()) return at;
    }
  }
  return std::nullopt;
}

std::unexpected<Error> Missing(std::string_view what, const std::string& line) {
  return Fail(
      ErrorCode::kNotFound,
      fmt::format("{} not found in the file: '{}'; read the file and write the patch again", what, line));
}

}  // namespace

Result<std::vector<FilePatch>> ParsePatch(std::string_view text) { return Parser(text).Parse(); }

Result<std::string> ApplyHunks(const std::string& content, const std::vector<PatchHunk>& hunks) {
  const bool ends_in_newline = content.empty() || content.back() == '\n';
  const std::vector<std::string> lines = SplitLines(content);
  const bool crlf = !lines.empty() && lines.front().ends_with('\r');
  std::vector<std::string> result;
  std::size_t copied = 0;  // lines of the old content that are done with
  for (const PatchHunk& hunk : hunks) {
    std::size_t from = copied;
    for (const std::string& anchor : hunk.anchors) {
      const auto found = FindLines(lines, {anchor}, from, false);
      if (!found) return Missing("the line behind @@ was", anchor);
      from = *found + 1;
    }
    std::vector<std::string> before = hunk.before;
    std::optional<std::size_t> at;
    if (before.empty()) {  // lines that are only added: behind the anchor, or at the end
      at = hunk.anchors.empty() ? lines.size() : from;
    } else {
      // The anchor may itself be the first line of the context.
      at = FindLines(lines, before, from, hunk.at_end);
      if (!at && !hunk.anchors.empty())
        at = FindLines(lines, before, std::max(copied, from - 1), hunk.at_end);
      if (!at) at = FindLines(lines, before, from, false);
    }
    if (!at) return Missing("these lines were", before.front());
    result.insert(result.end(), lines.begin() + static_cast<std::ptrdiff_t>(copied),
                  lines.begin() + static_cast<std::ptrdiff_t>(*at));
    for (const std::string& line : hunk.after)
      result.push_back(crlf && !line.ends_with('\r') ? line + "\r" : line);
    copied = *at + before.size();
  }
  result.insert(result.end(), lines.begin() + static_cast<std::ptrdiff_t>(copied), lines.end());
  std::string text;
  for (const std::string& line : result) text += line + "\n";
  if (!ends_in_newline && copied < lines.size() && !text.empty()) text.pop_back();
  return text;
}

}  // namespace gptoss::agents
