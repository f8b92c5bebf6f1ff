// update_plan: the steps of a longer task, for the user to see.
#include <algorithm>
#include <array>

#include "agents/tool.h"

namespace gptoss::agents {
namespace {

constexpr std::array<std::string_view, 3> kStates = {"pending", "in_progress", "completed"};

class PlanRun final : public ToolRun {
 public:
  PlanRun(ToolPreview preview, acp::Plan plan) : ToolRun(std::move(preview)), plan_(std::move(plan)) {}
  ToolOutcome Run(const ToolRunContext&) override {
    ToolOutcome outcome{.text = "the plan is shown"};
    outcome.plan = plan_;
    return outcome;
  }

 private:
  acp::Plan plan_;
};

class UpdatePlanTool final : public Tool {
 public:
  UpdatePlanTool() {
    Json step{{"type", "object"},
              {"properties",
               {{"step", {{"type", "string"}}},
                {"status", {{"type", "string"}, {"enum", {"pending", "in_progress", "completed"}}}}}},
              {"required", {"step", "status"}}};
    Json schema{{"type", "object"},
                {"properties", {{"plan", {{"type", "array"}, {"items", std::move(step)}}}}},
                {"required", {"plan"}}};
    description_ = {
        .name = "update_plan",
        .description = "Shows the user the steps of the task and how far they are; call it when that changes",
        .parameters = std::move(schema)};
  }
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope&) override {
    const auto steps = arguments.find("plan");
    if (steps == arguments.end() || !steps->is_array())
      return Fail(ErrorCode::kInvalidArgument, "\"plan\" must be an array of {\"step\", \"status\"}");
    acp::Plan plan;
    for (const Json& step : *steps) {
      GPTOSS_TRY(std::string text, TextArgument(step, "step"));
      std::string status = TextArgumentOr(step, "status", "pending");
      if (std::ranges::find(kStates, status) == kStates.end())
        return Fail(ErrorCode::kInvalidArgument, "\"status\" must be pending, in_progress or completed");
      plan.entries.push_back({.content = std::move(text), .status = std::move(status)});
    }
    return std::make_unique<PlanRun>(ToolPreview{.title = "Update the plan", .kind = acp::ToolKind::kThink},
                                     std::move(plan));
  }

 private:
  harmony::ToolDescription description_;
};

}  // namespace

std::unique_ptr<Tool> MakeUpdatePlanTool() { return std::make_unique<UpdatePlanTool>(); }

}  // namespace gptoss::agents
