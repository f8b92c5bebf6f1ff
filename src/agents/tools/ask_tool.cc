// ask_user: a question with a form in the client, for clients that offer forms. Others are asked in the
// answer.
#include <fmt/format.h>

#include <algorithm>

#include "agents/agent.h"
#include "agents/tool.h"

namespace gptoss::agents {
namespace {

constexpr std::size_t kMaxOptions = 20;
constexpr const char* kAnswer = "answer";
constexpr const char* kOther = "other";

class AskRun final : public ToolRun {
 public:
  AskRun(ToolPreview preview, acp::Form form) : ToolRun(std::move(preview)), form_(std::move(form)) {}
  ToolOutcome Run(const ToolRunContext& context) override {
    using Kind = acp::FormOutcome::Kind;
    form_.tool_call = context.call_id;
    const acp::FormOutcome outcome = context.sink->AskForm(form_);
    switch (outcome.kind) {
      case Kind::kAccepted:
        return Answer(outcome);
      case Kind::kDeclined:
        return {.text = "The user declined to answer."};
      case Kind::kDismissed:
        return {.text = "The user closed the question without an answer."};
      case Kind::kCancelled:
        return FailedOutcome("cancelled");
      case Kind::kFailed:
        break;
    }
    return FailedOutcome("The question could not be shown. Ask it in your answer instead.");
  }

 private:
  // The user's own words go before a choice.
  static ToolOutcome Answer(const acp::FormOutcome& outcome) {
    const auto text = [&](std::string_view field) {
      const auto found = std::ranges::find_if(outcome.answers, [&](const auto& answer) {
        return answer.first == field && !answer.second.empty();
      });
      return found == outcome.answers.end() ? std::string() : found->second;
    };
    std::string answer = text(kOther);
    if (answer.empty()) answer = text(kAnswer);
    if (answer.empty()) return {.text = "The user gave no answer."};
    return {.text = fmt::format("The user answered: {}", Abridge(answer, kModelBytes))};
  }

  acp::Form form_;
};

class AskUserTool final : public Tool {
 public:
  AskUserTool() {
    Json properties{{"question", {{"type", "string"}, {"description", "What the user is asked"}}},
                    {"options",
                     {{"type", "array"},
                      {"items", {{"type", "string"}}},
                      {"description", "Answers to choose from; the user may write another one"}}}};
    Json schema{{"type", "object"}, {"properties", std::move(properties)}, {"required", {"question"}}};
    description_ = {.name = "ask_user",
                    .description =
                        "Asks the user one question and waits for the answer; only for what you "
                        "cannot find out yourself, never for passwords or keys",
                    .parameters = std::move(schema)};
  }
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope&) override {
    GPTOSS_TRY(std::string question, TextArgument(arguments, "question"));
    if (question.empty()) return Fail(ErrorCode::kInvalidArgument, "\"question\" is empty");
    acp::Form form{.message = question, .tool_call = {}, .fields = {}};
    acp::FormField answer{.id = kAnswer, .title = "Answer", .description = {}, .choices = {}};
    const auto options = arguments.find("options");
    if (options != arguments.end() && !options->is_null()) {
      if (!options->is_array() || options->size() > kMaxOptions)
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("\"options\" must be an array of at most {} strings", kMaxOptions));
      for (const Json& option : *options) {
        if (!option.is_string() || option.get_ref<const std::string&>().empty())
          return Fail(ErrorCode::kInvalidArgument, "\"options\" must be an array of strings");
        if (std::ranges::find(answer.choices, option.get<std::string>()) == answer.choices.end())
          answer.choices.push_back(option.get<std::string>());
      }
    }
    answer.required = answer.choices.empty();
    const bool choice = !answer.choices.empty();
    form.fields.push_back(std::move(answer));
    if (choice)
      form.fields.push_back({.id = kOther,
                             .title = "Something else",
                             .description = "Instead of the answers above",
                             .choices = {},
                             .required = false});
    return std::make_unique<AskRun>(
        ToolPreview{.title = fmt::format("Ask: {}", question), .kind = acp::ToolKind::kOther},
        std::move(form));
  }

 private:
  harmony::ToolDescription description_;
};

}  // namespace

std::unique_ptr<Tool> MakeAskUserTool() { return std::make_unique<AskUserTool>(); }

}  // namespace gptoss::agents
