// edit_file, write_file and apply_patch.
#include <fmt/format.h>

#include <map>
#include <utility>

#include "agents/tool.h"
#include "agents/tools/file_change.h"
#include "agents/tools/patch.h"

namespace gptoss::agents {
namespace {

std::unexpected<Error> Bad(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

// Exactly one place, or all of them.
Result<std::string> Replaced(const std::string& content, const std::string& old_text,
                             const std::string& new_text, bool all, const std::string& name) {
  if (old_text.empty()) return Bad("\"old_text\" is empty; use write_file for a new file");
  std::string result;
  std::size_t from = 0, count = 0;
  for (std::size_t at = 0; (at = content.find(old_text, from)) != std::string::npos; ++count) {
    result.append(content, from, at - from);
    result += new_text;
    from = at + old_text.size();
  }
  if (count == 0)
    return Fail(ErrorCode::kNotFound,
                fmt::format("\"old_text\" does not occur in {}; read the file and copy it exactly", name));
  if (count > 1 && !all)
    return Bad(fmt::format(
        "\"old_text\" occurs {} times in {}; give more of the lines around it, or \"replace_all\"", count,
        name));
  return result.append(content, from, std::string::npos);
}

class EditFileTool final : public Tool {
 public:
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope& scope) override {
    const Workspace& workspace = scope.workspace;
    const SessionFiles& files = scope.files;
    GPTOSS_TRY(const std::string text, TextArgument(arguments, "path"));
    GPTOSS_TRY(const std::string old_text, TextArgument(arguments, "old_text"));
    GPTOSS_TRY(const std::string new_text, TextArgument(arguments, "new_text"));
    const bool all = BoolArgumentOr(arguments, "replace_all", false);
    GPTOSS_TRY(const ResolvedPath path, workspace.Resolve(text));
    const std::string name = workspace.Display(path.path);
    return PrepareChange(fmt::format("Edit {}", name), {path}, scope,
                         [=, &files]() -> Result<std::vector<FileChange>> {
                           GPTOSS_TRY(std::string content, files.Read(path));
                           GPTOSS_TRY(std::string after, Replaced(content, old_text, new_text, all, name));
                           return std::vector<FileChange>{
                               {.path = path, .before = std::move(content), .after = std::move(after)}};
                         });
  }

 private:
  const harmony::ToolDescription description_ = {
      .name = "edit_file",
      .description = "Replaces a piece of text in a file; the piece must occur exactly once",
      .parameters = ParametersSchema({{"path", "string", "Path of the file"},
                                      {"old_text", "string", "The text as it stands in the file"},
                                      {"new_text", "string", "What stands there afterwards"},
                                      {"replace_all", "boolean", "Every place where it occurs", false}})};
};

class WriteFileTool final : public Tool {
 public:
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope& scope) override {
    const Workspace& workspace = scope.workspace;
    const SessionFiles& files = scope.files;
    GPTOSS_TRY(const std::string text, TextArgument(arguments, "path"));
    GPTOSS_TRY(const std::string content, TextArgument(arguments, "content"));
    if (content.size() > kMaxEditableBytes) return Bad("\"content\" is too long");
    GPTOSS_TRY(const ResolvedPath path, workspace.Resolve(text));
    return PrepareChange(fmt::format("Write {}", workspace.Display(path.path)), {path}, scope,
                         [=, &files]() -> Result<std::vector<FileChange>> {
                           FileChange change{.path = path, .before = std::nullopt, .after = content};
                           auto before = files.Read(path);
                           if (before) {
                             change.before = std::move(*before);
                           } else if (before.error().code != ErrorCode::kNotFound) {
                             return std::unexpected(std::move(before).error());
                           }
                           return std::vector<FileChange>{std::move(change)};
                         });
  }

 private:
  const harmony::ToolDescription description_ = {
      .name = "write_file",
      .description = "Writes a whole file, new or in place of the old one",
      .parameters = ParametersSchema({{"path", "string", "Path of the file"},
                                      {"content", "string", "Everything that is in it afterwards"}})};
};

// The files of a patch, as they are after all of it. A patch may name a file twice.
class PatchWork {
 public:
  explicit PatchWork(const ToolScope& scope) : scope_(scope) {}

  Result<std::vector<FileChange>> Run(const std::vector<FilePatch>& patches) {
    for (const FilePatch& patch : patches) GPTOSS_CHECK_OK(One(patch));
    std::vector<FileChange> changes;
    for (const std::string& key : order_) {
      FileChange& change = changes_.at(key);
      if (change.before != change.after) changes.push_back(std::move(change));
    }
    if (changes.empty()) return Bad("the patch changes nothing");
    return changes;
  }

 private:
  Result<FileChange*> Touch(const std::string& text) {
    GPTOSS_TRY(ResolvedPath path, scope_.workspace.Resolve(text));
    const std::string key = path.path.string();
    if (const auto known = changes_.find(key); known != changes_.end()) return &known->second;
    FileChange change{.path = std::move(path), .before = std::nullopt, .after = std::nullopt};
    auto content = scope_.files.Read(change.path);
    if (content) {
      change.before = change.after = std::move(*content);
    } else if (content.error().code != ErrorCode::kNotFound) {
      return std::unexpected(std::move(content).error());
    }
    order_.push_back(key);
    return &changes_.emplace(key, std::move(change)).first->second;
  }

  Status One(const FilePatch& patch) {
    GPTOSS_TRY(FileChange* const file, Touch(patch.path));
    switch (patch.kind) {
      case FilePatch::Kind::kAdd:
        if (file->after) return Bad(fmt::format("{} is there already; use '*** Update File: '", patch.path));
        file->after = patch.text;
        return {};
      case FilePatch::Kind::kDelete:
        if (!file->after) return Fail(ErrorCode::kNotFound, fmt::format("{} is not there", patch.path));
        file->after.reset();
        return {};
      case FilePatch::Kind::kUpdate:
        break;
    }
    if (!file->after) return Fail(ErrorCode::kNotFound, fmt::format("{} is not there", patch.path));
    auto content = ApplyHunks(*file->after, patch.hunks);
    if (!content) return std::unexpected(std::move(content).error().Within(patch.path));
    if (!patch.move_to) {
      file->after = std::move(*content);
      return {};
    }
    GPTOSS_TRY(FileChange* const target, Touch(*patch.move_to));
    if (target->after && target != file) return Bad(fmt::format("{} is there already", *patch.move_to));
    file->after.reset();
    target->after = std::move(*content);
    return {};
  }

  const ToolScope scope_;
  std::map<std::string, FileChange> changes_;
  std::vector<std::string> order_;
};

class ApplyPatchTool final : public Tool {
 public:
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope& scope) override {
    const Workspace& workspace = scope.workspace;
    GPTOSS_TRY(const std::string text, TextArgument(arguments, "patch"));
    GPTOSS_TRY(const std::vector<FilePatch> patches, ParsePatch(text));
    std::vector<ResolvedPath> paths;
    std::string names;
    for (const FilePatch& patch : patches) {
      for (const std::string& path : {patch.path, patch.move_to.value_or("")}) {
        if (path.empty()) continue;
        GPTOSS_TRY(ResolvedPath resolved, workspace.Resolve(path));
        if (paths.size() < 4) names += (names.empty() ? "" : ", ") + workspace.Display(resolved.path);
        paths.push_back(std::move(resolved));
      }
    }
    if (paths.size() > 4) names += fmt::format(" and {} more", paths.size() - 4);
    return PrepareChange(fmt::format("Patch {}", names), paths, scope,
                         [patches, scope] { return PatchWork(scope).Run(patches); });
  }

 private:
  const harmony::ToolDescription description_ = {
      .name = "apply_patch",
      .description =
          "Changes files by a patch: '*** Begin Patch', then for each file '*** Update File: PATH' with '@@' "
          "parts of ' ', '-' and '+' lines, '*** Add File: PATH' with '+' lines, or '*** Delete File: PATH', "
          "then '*** End Patch'",
      .parameters = ParametersSchema({{"patch", "string", "The whole patch"}})};
};

}  // namespace

std::unique_ptr<Tool> MakeEditFileTool() { return std::make_unique<EditFileTool>(); }
std::unique_ptr<Tool> MakeWriteFileTool() { return std::make_unique<WriteFileTool>(); }
std::unique_ptr<Tool> MakeApplyPatchTool() { return std::make_unique<ApplyPatchTool>(); }

}  // namespace gptoss::agents
