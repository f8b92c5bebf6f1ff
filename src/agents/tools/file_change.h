// Changes of files as the editing tools make them: worked out, shown as a diff, allowed, then written.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/tool.h"

namespace gptoss::agents {

struct FileChange {
  ResolvedPath path;
  std::optional<std::string> before;  // none: a new file
  std::optional<std::string> after;   // none: the file goes
};

// Works out the changes; called before the permission if all paths are inside the workspace, else after it,
// so that nothing is read that nobody allowed.
using WorkOut = std::function<Result<std::vector<FileChange>>()>;

// `paths`: all that may be touched. Errors of `work_out` before the permission are those of Prepare.
Result<std::unique_ptr<ToolRun>> PrepareChange(std::string title, const std::vector<ResolvedPath>& paths,
                                               const ToolScope& scope, WorkOut work_out);

}  // namespace gptoss::agents
