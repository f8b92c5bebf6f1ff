// What the model can call. A call is prepared (arguments read, effects known), allowed, and then run.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "acp/types.h"
#include "agents/session_files.h"
#include "agents/workspace.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "harmony/conversation.h"

namespace gptoss::agents {

// What a prepared call will do, before it does it.
struct ToolPreview {
  std::string title;
  acp::ToolKind kind = acp::ToolKind::kOther;
  std::vector<acp::Location> locations;
  std::vector<acp::ToolContent> content;  // the diff of an edit
  enum class Need : std::uint8_t { kNothing, kPermission, kEachTime };
  Need need = Need::kNothing;  // kEachTime: never allowed for ever
  std::string rule;            // kPermission: what an "always" would allow, for the store
  std::string scope;           // and in words: "edits in /home/a/project"
};

struct ToolOutcome {
  std::string text;  // what the model reads
  bool failed = false;
  std::optional<std::vector<acp::ToolContent>> content;  // what the user sees; none: `text`
  std::optional<std::vector<acp::Location>> locations;
  std::optional<Json> raw_output;
  std::optional<acp::Plan> plan;
};

// Where a call is prepared. Outlives the call.
struct ToolScope {
  const Workspace& workspace;
  const SessionFiles& files;
};

// What a running call may use.
struct ToolRunContext {
  CancelToken cancel;
  TurnSink* sink = nullptr;  // outlives the call
  // Part of a call's state while it runs (id and status are filled in).
  std::function<void(acp::ToolCall update)> progress;
  bool display_terminals = false;
  std::string call_id;
};

// One call. Used by one thread.
class ToolRun {
 public:
  explicit ToolRun(ToolPreview preview) : preview_(std::move(preview)) {}
  virtual ~ToolRun() = default;
  const ToolPreview& preview() const { return preview_; }
  virtual ToolOutcome Run(const ToolRunContext& context) = 0;

 protected:
  ToolPreview preview_;
};

// Safe from any thread.
class Tool {
 public:
  virtual ~Tool() = default;
  virtual const harmony::ToolDescription& description() const = 0;
  // `arguments` is an object. The error is a sentence for the model.
  virtual Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope& scope) = 0;
};

inline ToolOutcome FailedOutcome(std::string text) { return {.text = std::move(text), .failed = true}; }

// Arguments by name; errors say what was expected.
Result<std::string> TextArgument(const Json& arguments, std::string_view name);
std::string TextArgumentOr(const Json& arguments, std::string_view name, std::string_view fallback);
// Models write numbers as strings too.
Result<std::int64_t> IntegerArgumentOr(const Json& arguments, std::string_view name, std::int64_t fallback);
bool BoolArgumentOr(const Json& arguments, std::string_view name, bool fallback);

// {"type":"object","properties":{...},"required":[...]}
struct ParameterText {
  std::string name, type, description;
  bool required = true;
};
Json ParametersSchema(const std::vector<ParameterText>& parameters);

// What the model reads of one tool's answer; the person sees more.
inline constexpr std::size_t kModelBytes = 24 << 10;
// Cuts text for the model: the first and the last part, with a line that says how much is missing. Whole
// UTF-8.
std::string Abridge(std::string_view text, std::size_t max_bytes);

// The makers of the builtin tools.
std::unique_ptr<Tool> MakeReadFileTool();
std::unique_ptr<Tool> MakeListDirectoryTool();
std::unique_ptr<Tool> MakeSearchTool();
std::unique_ptr<Tool> MakeEditFileTool();
std::unique_ptr<Tool> MakeWriteFileTool();
std::unique_ptr<Tool> MakeApplyPatchTool();
std::unique_ptr<Tool> MakeRunCommandTool();
std::unique_ptr<Tool> MakeUpdatePlanTool();
// Only for clients that offer forms.
std::unique_ptr<Tool> MakeAskUserTool();

}  // namespace gptoss::agents
