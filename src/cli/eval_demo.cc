#include "cli/eval_demo.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "cli/generation_options.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_option.h"
#include "cli/terminal.h"

namespace gptoss::cli {

namespace {

constexpr double kNeededWellFormed = 1.0;

struct EvalArguments : GenerationArguments {
  std::string file;
  bool json = false;
  bool verbose = false;
  double needed_right = 90;  // percent
};

struct Tally {
  int total = 0, right = 0, well_formed = 0;
};

std::string Lowered(std::string_view text) {
  std::string out(text);
  // ASCII is all that the expectations use.
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

Result<std::string> StringField(const Json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string())
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected a string \"{}\"", name));
  return it->get<std::string>();
}

double Share(int part, int total) { return total == 0 ? 0.0 : static_cast<double>(part) / total; }

Status ParseExpectation(const Json& expect, EvalCase& out) {
  const auto invalid = [](std::string message) {
    return Fail(ErrorCode::kInvalidArgument, std::move(message));
  };
  GPTOSS_TRY(const std::string kind, StringField(expect, "kind"));
  if (kind == "tool_call") {
    out.wants_call = true;
    GPTOSS_TRY(out.recipient, StringField(expect, "recipient"));
    const auto arguments = expect.find("arguments");
    if (arguments == expect.end()) return invalid("expected \"arguments\"");
    out.arguments = *arguments;
    return {};
  }
  if (kind != "final") return invalid(fmt::format("unknown kind '{}'", kind));
  const auto lists = expect.find("contains_any");
  if (lists == expect.end() || !lists->is_array()) return invalid("expected an array \"contains_any\"");
  for (const Json& list : *lists) {
    std::vector<std::string> words;
    if (!list.is_array()) return invalid("\"contains_any\" holds arrays of strings");
    for (const Json& word : list) {
      if (!word.is_string()) return invalid("\"contains_any\" holds arrays of strings");
      words.push_back(Lowered(word.get<std::string>()));
    }
    out.contains_any.push_back(std::move(words));
  }
  return {};
}

Result<std::vector<EvalCase>> ReadCases(const std::string& file) {
  GPTOSS_TRY(const std::string text, ReadUserFile(file));
  std::vector<EvalCase> cases;
  int number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto parsed = ParseEvalCase(line);
    if (!parsed) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}:{}: {}", file, number, parsed.error().message));
    }
    cases.push_back(std::move(*parsed));
  }
  if (cases.empty()) return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: holds no cases", file));
  return cases;
}

std::string Table(const std::map<std::string, Tally>& tallies, const Tally& all) {
  std::string out = fmt::format("{:<24}{:>7}{:>9}{:>14}\n", "category", "cases", "right", "well-formed");
  const auto row = [&](const std::string& name, const Tally& tally) {
    out += fmt::format("{:<24}{:>7}{:>8.1f}%{:>13.1f}%\n", name, tally.total,
                       100 * Share(tally.right, tally.total), 100 * Share(tally.well_formed, tally.total));
  };
  for (const auto& [name, tally] : tallies) row(name, tally);
  row("all", all);
  return out;
}

Json TallyJson(const Tally& tally) {
  return Json{{"cases", tally.total},
              {"right", Share(tally.right, tally.total)},
              {"well_formed", Share(tally.well_formed, tally.total)}};
}

Result<int> Evaluate(const EvalArguments& arguments) {
  GPTOSS_CHECK_OK(CheckArguments(arguments));
  GPTOSS_TRY(const std::vector<EvalCase> cases, ReadCases(arguments.file));
  GPTOSS_TRY(const std::unique_ptr<LoadedModel> model, LoadSelectedModel(arguments));
  const CancelSource cancel;
  InterruptHandler interrupt;
  interrupt.BeginTurn(cancel);
  TurnOptions options;
  options.sampling.temperature = arguments.temperature.value_or(0);
  options.sampling.seed = arguments.seed;
  options.max_tokens = arguments.max_tokens.value_or(0);
  options.cancel = cancel.token();
  std::map<std::string, Tally> tallies;
  Tally all;
  Json failures = Json::array();
  for (const EvalCase& expected : cases) {
    const TurnResult result =
        model->RunTurn(expected.conversation, options,
                       [](const harmony::ParserEvent& /*event*/, const harmony::StreamParser& /*parser*/) {});
    if (cancel.cancelled()) return SignalExitCode();
    const std::string wrong = WhyWrong(expected, result), malformed = WhyMalformed(result);
    for (Tally* tally : {&tallies[expected.category], &all}) {
      ++tally->total;
      tally->right += wrong.empty() ? 1 : 0;
      tally->well_formed += malformed.empty() ? 1 : 0;
    }
    if (wrong.empty() && malformed.empty()) continue;
    failures.push_back(
        Json{{"id", expected.id}, {"wrong", wrong}, {"malformed", malformed}, {"answer", result.answer}});
    if (arguments.verbose) StandardError().Write(DumpJson(failures.back()) + "\n");
  }
  std::string report;
  if (arguments.json) {
    Json categories = Json::object();
    for (const auto& [name, tally] : tallies) categories[name] = TallyJson(tally);
    report =
        DumpJson(Json{{"all", TallyJson(all)}, {"categories", categories}, {"failures", failures}}) + "\n";
  } else {
    report = Table(tallies, all);
  }
  StandardOutput().Write(report);
  GPTOSS_CHECK_OK(StandardOutput().status());
  const bool passed = 100 * Share(all.right, all.total) >= arguments.needed_right &&
                      Share(all.well_formed, all.total) >= kNeededWellFormed;
  if (!passed)
    Complain(fmt::format(
        "below the bar: {}% right and 100% well-formed are needed (--verbose shows the failures).",
        arguments.needed_right));
  return passed ? 0 : 1;
}

}  // namespace

Result<EvalCase> ParseEvalCase(std::string_view line) {
  GPTOSS_TRY(const Json json, ParseJson(line));
  if (!json.is_object()) return Fail(ErrorCode::kInvalidArgument, "expected an object");
  EvalCase out;
  GPTOSS_TRY(out.id, StringField(json, "id"));
  GPTOSS_TRY(out.category, StringField(json, "category"));
  const auto conversation = json.find("conversation");
  if (conversation == json.end()) return Fail(ErrorCode::kInvalidArgument, "expected \"conversation\"");
  GPTOSS_TRY(out.conversation, harmony::ConversationFromJson(*conversation));
  const auto expect = json.find("expect");
  if (expect == json.end() || !expect->is_object())
    return Fail(ErrorCode::kInvalidArgument, "expected an object \"expect\"");
  GPTOSS_CHECK_OK(ParseExpectation(*expect, out));
  return out;
}

std::string WhyWrong(const EvalCase& expected, const TurnResult& result) {
  if (!expected.wants_call) {
    if (result.end != TurnEnd::kAnswer) return fmt::format("ended with {}", TurnEndName(result.end));
    const std::string answer = Lowered(result.answer);
    for (const auto& words : expected.contains_any) {
      const auto occurs = [&](const std::string& word) { return answer.find(word) != std::string::npos; };
      if (std::ranges::none_of(words, occurs)) return fmt::format("has none of: {}", fmt::join(words, ", "));
    }
    return "";
  }
  if (result.end != TurnEnd::kToolCall || result.messages.empty())
    return fmt::format("ended with {} instead of a call", TurnEndName(result.end));
  const harmony::ParsedMessage& call = result.messages.back();
  if (call.recipient != expected.recipient)
    return fmt::format("called {}", call.recipient.value_or("nobody"));
  const auto arguments = ParseJson(call.content);
  // The order of keys means nothing here, but it does to Json's own comparison.
  if (!arguments || nlohmann::json(*arguments) != nlohmann::json(expected.arguments))
    return fmt::format("called with {}", call.content);
  return "";
}

std::string WhyMalformed(const TurnResult& result) {
  if (!result.flags.empty()) return fmt::format("repaired: {}", fmt::join(result.flags, ", "));
  if (result.retried) return "asked twice";
  if (result.messages.empty()) return "no message";
  const std::string& stop = result.messages.back().stop;
  return stop == "return" || stop == "call" ? "" : fmt::format("ended by {}", stop);
}

void AddEvalDemoCommand(CLI::App& eval, int& exit_code) {
  auto arguments = std::make_shared<EvalArguments>();
  // The question is what the demo says, not who answers.
  arguments->quiet = true;
  CLI::App* demo =
      eval.add_subcommand("demo", "Ask the questions of FILE and count right, well-formed answers");
  demo->add_option("file", arguments->file, "JSON lines, e.g. models/demo/eval.jsonl")
      ->type_name("FILE")
      ->required();
  AddModelOption(*demo, arguments->model);
  AddEngineOptions(*demo, *arguments);
  demo->add_option("--max-tokens", arguments->max_tokens, "Stop an answer after this many tokens")
      ->type_name("N");
  demo->add_option("--temperature", arguments->temperature,
                   "Sample instead of taking the likeliest token (0)")
      ->type_name("T");
  demo->add_option("--seed", arguments->seed, "Seed of the sampling")->type_name("N");
  demo->add_flag("--json", arguments->json, "The numbers and the failures as one JSON object");
  demo->add_flag("--verbose", arguments->verbose, "Show each failure on stderr");
  demo->add_option("--need", arguments->needed_right, "Percent that have to be right (90)")
      ->type_name("PERCENT")
      ->check(CLI::Range(0.0, 100.0));
  demo->footer("Exit code 1 if fewer than that are right or fewer than 100% are well-formed.");
  demo->callback([arguments, &exit_code] {
    const Result<int> result = Evaluate(*arguments);
    exit_code = result ? *result : ExitCodeOf(result.error());
    if (!result) Complain(result.error().message);
  });
}

}  // namespace gptoss::cli
