#include "agents/tools/file_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gptoss::agents {
namespace {

// The first line that differs, from 1.
std::uint32_t FirstDifference(const FileChange& change) {
  const std::string_view before = change.before ? std::string_view(*change.before) : std::string_view();
  const std::string_view after = change.after ? std::string_view(*change.after) : std::string_view();
  const auto [at, rest] = std::ranges::mismatch(before, after);
  return static_cast<std::uint32_t>(1 + std::count(before.begin(), at, '\n'));
}

std::vector<acp::ToolContent> Diffs(const std::vector<FileChange>& changes) {
  std::vector<acp::ToolContent> diffs;
  for (const FileChange& change : changes)
    diffs.emplace_back(acp::ToolDiff{
        .path = change.path.path.string(), .old_text = change.before, .new_text = change.after.value_or("")});
  return diffs;
}

std::vector<acp::Location> Places(const std::vector<FileChange>& changes) {
  std::vector<acp::Location> places;
  for (const FileChange& change : changes)
    places.push_back({.path = change.path.path.string(), .line = FirstDifference(change)});
  return places;
}

class ChangeRun final : public ToolRun {
 public:
  ChangeRun(ToolPreview preview, const ToolScope& scope, WorkOut work_out)
      : ToolRun(std::move(preview)), scope_(scope), work_out_(std::move(work_out)) {}

  ToolOutcome Run(const ToolRunContext& context) override {
    // Worked out again: the user may have taken a while to allow it, and the file may have changed.
    const auto now = work_out_();
    if (!now) return FailedOutcome(now.error().message);
    std::string done;
    std::vector<FileChange> written;
    for (const FileChange& change : *now) {
      if (context.cancel.cancelled()) break;
      const Status status =
          change.after ? scope_.files.Write(change.path, *change.after) : RemoveFile(change.path);
      if (!status) {
        done += fmt::format("failed: {}\n", status.error().message);
        return Outcome(std::move(done), written, true);
      }
      const std::string name = scope_.workspace.Display(change.path.path);
      done += fmt::format("{} {}\n", !change.after ? "deleted" : change.before ? "changed" : "created", name);
      written.push_back(change);
    }
    return Outcome(std::move(done), written, written.size() != now->size());
  }

 private:
  static ToolOutcome Outcome(std::string text, const std::vector<FileChange>& written, bool failed) {
    ToolOutcome outcome{.text = std::move(text), .failed = failed};
    outcome.content = Diffs(written);
    if (failed) outcome.content->emplace_back(acp::ToolText{outcome.text});
    outcome.locations = Places(written);
    return outcome;
  }

  const ToolScope scope_;
  WorkOut work_out_;
};

}  // namespace

Result<std::unique_ptr<ToolRun>> PrepareChange(std::string title, const std::vector<ResolvedPath>& paths,
                                               const ToolScope& scope, WorkOut work_out) {
  ToolPreview preview{.title = std::move(title), .kind = acp::ToolKind::kEdit};
  const bool inside = std::ranges::all_of(paths, &ResolvedPath::inside);
  if (inside) {
    GPTOSS_TRY(const std::vector<FileChange> changes, work_out());
    preview.content = Diffs(changes);
    preview.locations = Places(changes);
    preview.need = ToolPreview::Need::kPermission;
    preview.rule = "edit";
    preview.scope = fmt::format("all edits in {}", scope.workspace.folder().string());
    if (std::ranges::all_of(changes, [](const FileChange& c) { return !c.after; }))
      preview.kind = acp::ToolKind::kDelete;
  } else {
    for (const ResolvedPath& path : paths)
      preview.locations.push_back({.path = path.path.string(), .line = std::nullopt});
    preview.need = ToolPreview::Need::kEachTime;
  }
  return std::make_unique<ChangeRun>(std::move(preview), scope, std::move(work_out));
}

}  // namespace gptoss::agents
