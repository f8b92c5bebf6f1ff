#include "agents/toolbox.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "agents/ids.h"
#include "base/text.h"

namespace gptoss::agents {
namespace {

constexpr std::string_view kAllowOnce = "allow_once", kAllowAlways = "allow_always",
                           kRejectOnce = "reject_once", kRejectAlways = "reject_always";
// Before a rule that is kept: it is refused.
constexpr std::string_view kRefusal = "refuse ";
constexpr std::string_view kRefused =
    "The user refused this call. Do not try it again; go on without it or ask what to do instead.";

// A patch that came without its JSON around it is taken as one.
Result<Json> ReadArguments(const std::string& name, const std::string& text) {
  if (name == "apply_patch" && text.find_first_not_of(" \t\r\n") != std::string::npos &&
      std::string_view(text).substr(text.find_first_not_of(" \t\r\n")).starts_with("*** "))
    return Json{{"patch", text}};
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
  GPTOSS_TRY(Json arguments, ParseJson(text));
  if (!arguments.is_object()) return Fail(ErrorCode::kInvalidArgument, "the arguments must be a JSON object");
  return arguments;
}

ToolOutcome RunGuarded(ToolRun& run, const ToolRunContext& context) {
  try {
    return run.Run(context);
  } catch (const std::exception& error) {  // of a library: no call may end the program
    return FailedOutcome(fmt::format("the tool failed: {}", error.what()));
  }
}

}  // namespace

harmony::ToolNamespace Toolbox::Namespace() const {
  harmony::ToolNamespace space{.name = "functions", .description = std::nullopt, .tools = {}};
  for (const auto& tool : tools_) space.tools.push_back(tool->description());
  return space;
}

std::vector<std::string> Toolbox::Names() const {
  std::vector<std::string> names;
  for (const auto& tool : tools_) names.push_back(tool->description().name);
  return names;
}

Tool* Toolbox::Find(std::string_view name) const {
  for (const auto& tool : tools_) {
    if (tool->description().name == name) return tool.get();
  }
  return nullptr;
}

Toolbox::Verdict Toolbox::Allow(const acp::ToolCall& call, const ToolPreview& preview, TurnSink& sink) {
  if (preview.need == ToolPreview::Need::kNothing) return Verdict::kAllowed;
  const bool lasting = preview.need == ToolPreview::Need::kPermission && !preview.rule.empty();
  const std::string refusal = std::string(kRefusal) + preview.rule;
  if (lasting && permissions_.allowed(refusal)) return Verdict::kRefused;
  if (lasting && permissions_.allowed(preview.rule)) return Verdict::kAllowed;
  std::vector<acp::PermissionOption> options = {{std::string(kAllowOnce), "Allow", "allow_once"}};
  if (lasting)
    options.push_back(
        {std::string(kAllowAlways), fmt::format("Always allow {}", preview.scope), "allow_always"});
  options.push_back({std::string(kRejectOnce), "Refuse", "reject_once"});
  if (lasting)
    options.push_back(
        {std::string(kRejectAlways), fmt::format("Always refuse {}", preview.scope), "reject_always"});
  const acp::PermissionOutcome outcome = sink.Ask(call, options);
  if (outcome.kind == acp::PermissionOutcome::Kind::kCancelled) return Verdict::kAborted;
  if (outcome.kind != acp::PermissionOutcome::Kind::kSelected) return Verdict::kRefused;
  if (lasting && outcome.option == kAllowAlways) {
    permissions_.allow(preview.rule);
    return Verdict::kAllowed;
  }
  if (lasting && outcome.option == kRejectAlways) permissions_.allow(refusal);
  return outcome.option == kAllowOnce ? Verdict::kAllowed : Verdict::kRefused;
}

ToolAnswer Toolbox::Call(const std::string& name, const std::string& arguments, TurnSink& sink,
                         const CancelToken& cancel) {
  acp::ToolCall call{.id = NewId("call"),
                     .creates = true,
                     .title = name,
                     .name = name,
                     .kind = acp::ToolKind::kOther,
                     .status = acp::ToolStatus::kPending};
  const auto end = [&](acp::ToolStatus status, std::string_view text, acp::ToolCall last = {}) {
    last.id = call.id;
    last.status = status;
    if (!last.content) last.content = {acp::ToolText{std::string(text)}};
    sink.Emit(last);
  };
  const auto malformed = [&](const Error& error) {
    if (!call.raw_input) call.raw_input = Json(arguments);
    sink.Emit(call);
    end(acp::ToolStatus::kFailed, error.message);
    return ToolAnswer{.text = fmt::format("Error: {}", error.message), .malformed = true};
  };
  Tool* const tool = Find(name);
  if (tool == nullptr)
    return malformed(
        {ErrorCode::kNotFound, fmt::format("there is no tool {}; there are: {}", Excerpt(name, kMessageBytes),
                                           fmt::join(Names(), ", "))});
  const auto read = ReadArguments(name, arguments);
  if (!read) return malformed(read.error());
  call.raw_input = *read;
  const SessionFiles files(workspace_, sink);
  auto run = tool->Prepare(*read, {.workspace = workspace_, .files = files});
  if (!run) return malformed(run.error());

  const ToolPreview& preview = (*run)->preview();
  call.title = preview.title;
  call.kind = preview.kind;
  if (!preview.locations.empty()) call.locations = preview.locations;
  if (!preview.content.empty()) call.content = preview.content;
  sink.Emit(call);
  switch (Allow(call, preview, sink)) {
    case Verdict::kAborted:
      end(acp::ToolStatus::kFailed, "cancelled");
      return {.text = "The user cancelled.", .aborted = true};
    case Verdict::kRefused:
      end(acp::ToolStatus::kFailed, "refused");
      return {.text = std::string(kRefused)};
    case Verdict::kAllowed:
      break;
  }
  sink.Emit(acp::ToolCall{.id = call.id, .status = acp::ToolStatus::kInProgress});
  const ToolRunContext context{.cancel = cancel,
                               .sink = &sink,
                               .progress =
                                   [&](acp::ToolCall update) {
                                     update.id = call.id;
                                     sink.Emit(update);
                                   },
                               .display_terminals = sink.client().display_terminals,
                               .call_id = call.id};
  ToolOutcome outcome = RunGuarded(**run, context);
  if (outcome.plan) sink.Emit(*outcome.plan);
  acp::ToolCall last;
  if (outcome.content && !outcome.content->empty()) last.content = std::move(outcome.content);
  if (outcome.locations && !outcome.locations->empty()) last.locations = std::move(outcome.locations);
  last.raw_output = outcome.raw_output ? std::move(outcome.raw_output) : std::optional<Json>(outcome.text);
  end(outcome.failed ? acp::ToolStatus::kFailed : acp::ToolStatus::kCompleted, outcome.text, std::move(last));
  return {.text = std::move(outcome.text)};
}

void AddBuiltinTools(Toolbox& toolbox, bool few) {
  toolbox.Add(MakeReadFileTool());
  toolbox.Add(MakeListDirectoryTool());
  if (few) return;
  toolbox.Add(MakeSearchTool());
  toolbox.Add(MakeEditFileTool());
  toolbox.Add(MakeApplyPatchTool());
  toolbox.Add(MakeWriteFileTool());
  toolbox.Add(MakeRunCommandTool());
  toolbox.Add(MakeUpdatePlanTool());
}

}  // namespace gptoss::agents
