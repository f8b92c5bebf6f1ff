#include "cli/generation_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <ctime>
#include <utility>

#include "base/utf8.h"
#include "cli/input.h"
#include "cli/model_option.h"
#include "cli/settings_option.h"
#include "cli/terminal.h"

namespace gptoss::cli {

namespace {

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return fmt::format("{:04}-{:02}-{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
}

Result<harmony::ToolDescription> ParseTool(const Json& entry, std::string_view where) {
  const auto invalid = [&](std::string_view what) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", where, what));
  };
  if (!entry.is_object()) return invalid("expected an object");
  const auto inner = entry.find("function");
  const Json& function = inner != entry.end() ? *inner : entry;
  if (!function.is_object()) return invalid("\"function\" must be an object");
  const auto name = function.find("name");
  if (name == function.end() || !name->is_string()) return invalid("expected a string \"name\"");
  harmony::ToolDescription tool;
  tool.name = name->get<std::string>();
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (tool.name.empty() || tool.name.size() > 64 || !std::ranges::all_of(tool.name, allowed))
    return invalid("\"name\" must be 1 to 64 letters, digits, '_' or '-'");
  if (const auto text = function.find("description"); text != function.end() && !text->is_null()) {
    if (!text->is_string()) return invalid("\"description\" must be a string");
    tool.description = text->get<std::string>();
  }
  if (const auto schema = function.find("parameters"); schema != function.end() && !schema->is_null()) {
    if (!schema->is_object()) return invalid("\"parameters\" must be a JSON schema object");
    tool.parameters = *schema;
  }
  return tool;
}

Result<harmony::ReasoningEffort> EffortOf(const GenerationArguments& arguments) {
  return harmony::ParseReasoningEffort(arguments.effort.empty() ? "medium" : arguments.effort);
}

}  // namespace

void AddEngineOptions(CLI::App& app, GenerationArguments& arguments) {
  app.add_option("--context", arguments.context, "Room for the conversation in tokens (default: the model's)")
      ->type_name("N");
  app.add_option("--threads", arguments.threads, "Threads that compute (default: all usable CPUs)")
      ->type_name("N");
  app.add_flag("--precise", arguments.precise,
               "Compute with float activations: slower, closest to the model");
}

void AddGenerationOptions(CLI::App& app, GenerationArguments& arguments) {
  AddModelOption(app, arguments.model);
  app.add_option("--effort", arguments.effort, "How long to reason (default: medium)")
      ->type_name("low|medium|high");
  app.add_option("--instructions,--system", arguments.instructions,
                 "Instructions that stand above the prompt")
      ->type_name("TEXT");
  app.add_option("--temperature", arguments.temperature,
                 "0: always the likeliest token (default: 0.7; demo: 0)")
      ->type_name("X");
  app.add_option("--top-p", arguments.top_p, "Sample from the likeliest tokens of this total probability")
      ->type_name("X");
  app.add_option("--top-k", arguments.top_k, "Sample from this many likeliest tokens (0: off)")
      ->type_name("N");
  app.add_option("--min-p", arguments.min_p, "Drop tokens less likely than this part of the likeliest")
      ->type_name("X");
  app.add_option("--seed", arguments.seed, "The same seed gives the same answer on the same machine")
      ->type_name("N")
      ->check([](const std::string& text) {
        // CLI11 would read "-1" and anything beyond as 2^64 - 1.
        std::uint64_t seed = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
        return error == std::errc() && end == text.data() + text.size()
                   ? std::string()
                   : fmt::format("'{}' is not a number from 0 to 2^64 - 1", text);
      });
  app.add_option("--max-tokens", arguments.max_tokens, "Stop after this many tokens, reasoning included")
      ->type_name("N");
  AddEngineOptions(app, arguments);
  app.add_flag("--show-reasoning", arguments.show_reasoning, "Show the model's reasoning on stderr");
  app.add_flag("--stats", arguments.stats, "A line of numbers on stderr after each answer");
  app.add_flag_callback(
      "--telemetry", [&arguments] { arguments.telemetry = true; },
      "Write a line of numbers per answer to a local log (see gptoss stats)");
  app.add_flag_callback(
      "--no-telemetry", [&arguments] { arguments.telemetry = false; },
      "Do not, whatever the setting telemetry.enabled says");
  app.add_flag("-q,--quiet", arguments.quiet, "No remarks on stderr, only errors");
}

Status ApplySettings(GenerationArguments& arguments) {
  GPTOSS_TRY(const Settings::Pointer settings, LoadSettings(arguments.quiet));
  // A default is no wish: the demo stays greedy, and what is not told is left to the engine.
  const auto set = [&](std::string_view name) {
    const auto index = FindSetting(name);
    return index && settings->entry(*index).origin != SettingOrigin::kDefault;
  };
  GenerationArguments& a = arguments;
  if (!a.temperature && set("generation.temperature"))
    a.temperature = settings->Number("generation.temperature");
  if (!a.top_p && set("generation.top_p")) a.top_p = settings->Number("generation.top_p");
  if (!a.min_p && set("generation.min_p")) a.min_p = settings->Number("generation.min_p");
  if (!a.top_k && set("generation.top_k"))
    a.top_k = static_cast<std::int32_t>(settings->Integer("generation.top_k"));
  if (const auto seed = settings->IntegerIfSet("generation.seed"); seed && !a.seed)
    a.seed = static_cast<std::uint64_t>(*seed);
  if (!a.max_tokens) a.max_tokens = settings->IntegerIfSet("generation.max_tokens");
  if (!a.context) a.context = settings->IntegerIfSet("memory.context_tokens");
  if (!a.threads) a.threads = static_cast<int>(settings->Integer("engine.threads"));
  if (a.effort.empty()) a.effort = settings->Enum("generation.reasoning_effort");
  a.precise = a.precise || settings->Bool("engine.precise");
  return {};
}

Status CheckArguments(const GenerationArguments& arguments) {
  const auto invalid = [](std::string message) {
    return Fail(ErrorCode::kInvalidArgument, std::move(message));
  };
  if (auto effort = EffortOf(arguments); !effort)
    return invalid(fmt::format("--effort is low, medium or high, not '{}'", arguments.effort));
  if (arguments.max_tokens.value_or(0) < 0) return invalid("--max-tokens cannot be negative");
  if (arguments.context.value_or(0) < 0) return invalid("--context cannot be negative");
  if (const int threads = arguments.threads.value_or(0); threads < 0 || threads > 1024)
    return invalid("--threads is a number from 0 to 1024");
  auto sampling = ValidateSampling(SamplingFor(arguments, false));
  if (!sampling) return invalid(sampling.error().message);
  return {};
}

SamplingOptions SamplingFor(const GenerationArguments& arguments, bool demo) {
  SamplingOptions sampling;
  // Any sign of a wish for chance is heard.
  const bool wants_chance = arguments.top_p || arguments.top_k || arguments.min_p || arguments.seed;
  if (demo && !wants_chance) sampling.temperature = 0;
  if (arguments.temperature) sampling.temperature = *arguments.temperature;
  if (arguments.top_p) sampling.top_p = *arguments.top_p;
  if (arguments.top_k) sampling.top_k = *arguments.top_k;
  if (arguments.min_p) sampling.min_p = *arguments.min_p;
  sampling.seed = arguments.seed;
  return sampling;
}

Result<std::unique_ptr<LoadedModel>> LoadSelectedModel(const GenerationArguments& arguments) {
  GPTOSS_TRY(const SelectedModel selected, SelectModel(arguments.model));
  GPTOSS_CHECK_OK(CheckAllowed(selected));
  GPTOSS_TRY(const Checkpoint checkpoint, OpenSelected(selected));
  if (const std::string notice = SelectionNotice(selected); !notice.empty() && !arguments.quiet)
    Remark(notice);
  LoadedModel::Options options;
  options.backend.threads = arguments.threads.value_or(0);
  options.backend.precise = arguments.precise;
  options.engine.context_tokens = arguments.context.value_or(0);
  return LoadedModel::Load(checkpoint, options);
}

Result<harmony::Conversation> StartConversation(const GenerationArguments& arguments) {
  harmony::Conversation conversation;
  harmony::SystemContent system;
  GPTOSS_TRY(system.reasoning_effort, EffortOf(arguments));
  system.conversation_start_date = Today();
  conversation.messages.push_back(harmony::SystemMessage(std::move(system)));
  harmony::DeveloperContent developer;
  if (!arguments.instructions.empty()) developer.instructions = ReplaceInvalidUtf8(arguments.instructions);
  if (!arguments.tools_file.empty()) {
    GPTOSS_TRY(const std::string text, ReadUserFile(arguments.tools_file));
    GPTOSS_TRY(harmony::ToolNamespace tools, ParseTools(text, arguments.tools_file));
    if (!tools.tools.empty()) {
      developer.tools.emplace();
      developer.tools->emplace_back("functions", std::move(tools));
    }
  }
  if (developer.instructions || developer.tools)
    conversation.messages.push_back(harmony::DeveloperMessage(std::move(developer)));
  return conversation;
}

Result<harmony::ToolNamespace> ParseTools(std::string_view json, std::string_view file) {
  auto parsed = ParseJson(json);
  if (!parsed) return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", file, parsed.error().message));
  if (!parsed->is_array())
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: expected a JSON array of functions", file));
  harmony::ToolNamespace space;
  space.name = "functions";
  for (const Json& entry : *parsed) {
    GPTOSS_TRY(harmony::ToolDescription tool,
               ParseTool(entry, fmt::format("{}[{}]", file, space.tools.size())));
    const auto same = [&](const harmony::ToolDescription& other) { return other.name == tool.name; };
    if (std::ranges::any_of(space.tools, same))
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: two functions are named '{}'", file, tool.name));
    space.tools.push_back(std::move(tool));
  }
  return space;
}

}  // namespace gptoss::cli
