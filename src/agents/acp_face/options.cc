#include "agents/acp_face/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace gptoss::agents {
namespace {

constexpr std::string_view kMode = "mode", kModel = "model", kEffort = "thought_level",
                           kTemperature = "temperature", kTools = "tools", kReasoning = "show_reasoning";

std::string NumberText(double number) { return fmt::format("{}", number); }
std::string SwitchText(bool on) { return on ? "on" : "off"; }

acp::ConfigOption Switch(std::string_view id, std::string name, std::string description, bool on) {
  return {.id = std::string(id),
          .name = std::move(name),
          .description = std::move(description),
          .category = "model_config",
          .current = SwitchText(on),
          .values = {{"on", "On", ""}, {"off", "Off", ""}},
          .is_switch = true};
}

acp::ConfigOption ModeOption(const OptionState& state, const AgentRegistry& registry) {
  acp::ConfigOption option{
      .id = std::string(kMode), .name = "Mode", .description = "Who answers", .category = "mode"};
  option.current = state.mode;
  for (const acp::Mode& mode : ModesOf(registry, state.mode).available)
    option.values.push_back({mode.id, mode.name, mode.description});
  return option;
}

acp::ConfigOption ModelOption(const OptionState& state, const std::vector<ModelChoice>& models) {
  acp::ConfigOption option{
      .id = std::string(kModel), .name = "Model", .description = "Installed models", .category = "model"};
  option.current = state.choices.model;
  for (const ModelChoice& model : models)
    option.values.push_back({model.name, model.name, model.description});
  const bool listed = std::ranges::any_of(
      models, [&](const ModelChoice& model) { return model.name == state.choices.model; });
  if (!listed) option.values.insert(option.values.begin(), {state.choices.model, state.choices.model, ""});
  return option;
}

acp::ConfigOption EffortOption(const OptionState& state) {
  return {.id = std::string(kEffort),
          .name = "Reasoning effort",
          .description = "How long the model reasons before it answers",
          .category = "thought_level",
          .current = std::string(harmony::ReasoningEffortName(state.choices.effort)),
          .values = {{"low", "Low", ""}, {"medium", "Medium", ""}, {"high", "High", ""}}};
}

acp::ConfigOption TemperatureOption(const OptionState& state, const std::vector<ModelChoice>& models) {
  acp::ConfigOption option{.id = std::string(kTemperature),
                           .name = "Temperature",
                           .description = "Chance in the choice of words",
                           .category = "model_config"};
  option.current = NumberText(TemperatureInForce(state.choices, models));
  option.values = {
      {"0", "0", "always the likeliest"}, {"0.3", "0.3", ""}, {"0.7", "0.7", ""}, {"1", "1", ""}};
  const bool listed =
      std::ranges::any_of(option.values, [&](const auto& v) { return v.value == option.current; });
  if (!listed) option.values.push_back({option.current, option.current, "from the settings"});
  return option;
}

}  // namespace

acp::Modes ModesOf(const AgentRegistry& registry, const std::string& current) {
  acp::Modes modes{.current = current, .available = {}};
  for (const auto& agent : registry.agents()) {
    acp::Mode mode = agent->mode();
    if (const std::string reason = agent->Unavailable(); !reason.empty())
      mode.description = fmt::format("{} (not available: {})", mode.description, reason);
    modes.available.push_back(std::move(mode));
  }
  return modes;
}

std::vector<acp::ConfigOption> OptionsOf(const OptionState& state, const AgentRegistry& registry,
                                         const std::vector<ModelChoice>& models) {
  return {ModeOption(state, registry),
          ModelOption(state, models),
          EffortOption(state),
          TemperatureOption(state, models),
          Switch(kTools, "Tools", "Let the model read, change and run things", state.choices.tools),
          Switch(kReasoning, "Show reasoning", "Show what the model thinks before it answers",
                 state.choices.show_reasoning)};
}

void ReadStoredOption(std::string_view option, std::string_view value, Choices& choices) {
  if (option == kModel) {
    choices.model = value;
  } else if (option == kEffort) {
    if (const auto effort = harmony::ParseReasoningEffort(value)) choices.effort = *effort;
  } else if (option == kTemperature) {
    if (value.empty()) choices.temperature.reset();
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size() && number >= 0 && number <= 100)
      choices.temperature = number;
  } else if (option == kTools) {
    choices.tools = value == "on";
  } else if (option == kReasoning) {
    choices.show_reasoning = value == "on";
  }
}

Status Choose(OptionState& state, std::string_view option, std::string_view value,
              const AgentRegistry& registry, const std::vector<ModelChoice>& models) {
  const std::vector<acp::ConfigOption> options = OptionsOf(state, registry, models);
  const auto found = std::ranges::find(options, option, &acp::ConfigOption::id);
  if (found == options.end()) {
    std::string ids;
    for (const acp::ConfigOption& known : options) ids += (ids.empty() ? "" : ", ") + known.id;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no option '{}'; there are: {}", Excerpt(option, kMessageBytes), ids));
  }
  const bool known = std::ranges::any_of(found->values, [&](const auto& v) { return v.value == value; });
  if (!known) {
    std::string values;
    for (const acp::OptionValue& each : found->values) values += (values.empty() ? "" : ", ") + each.value;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: '{}' is none of: {}", option, Excerpt(value, kMessageBytes), values));
  }
  if (option == kMode) {
    state.mode = value;
  } else {
    ReadStoredOption(option, value, state.choices);
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> StoredOptions(const Choices& choices) {
  return {{std::string(kModel), choices.model},
          {std::string(kEffort), std::string(harmony::ReasoningEffortName(choices.effort))},
          {std::string(kTemperature), choices.temperature ? NumberText(*choices.temperature) : ""},
          {std::string(kTools), SwitchText(choices.tools)},
          {std::string(kReasoning), SwitchText(choices.show_reasoning)}};
}

}  // namespace gptoss::agents
