// gptoss harmony render | parse: people check their own Harmony clients against these (docs/harmony.md).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/json_lines.h"
#include "cli/terminal.h"
#include "cli/tokenizer_option.h"
#include "harmony/conversation.h"
#include "harmony/parser.h"
#include "harmony/render.h"

namespace gptoss::cli {
namespace {

using LineFunction = Result<Json> (*)(const Json& input, const Tokenizer& tokenizer);

Result<Json> RenderLine(const Json& input, const Tokenizer& tokenizer) {
  if (!input.is_object() || !input.contains("conversation")) {
    return Fail(ErrorCode::kInvalidArgument, "expected an object with a \"conversation\"");
  }
  harmony::RenderOptions options{.mode = harmony::RenderMode::kConversation,
                                 .drop = harmony::AnalysisDrop::kNone};
  const Json mode = input.value("mode", Json("completion"));
  if (mode == "completion") {
    options.mode = harmony::RenderMode::kCompletion;
  } else if (mode == "training") {
    options.mode = harmony::RenderMode::kTraining;
  } else if (mode != "conversation") {
    return Fail(ErrorCode::kInvalidArgument, "mode: expected conversation, completion or training");
  }
  const Json drop = input.value("auto_drop_analysis", Json(nullptr));
  if (!drop.is_null() && !drop.is_boolean()) {
    return Fail(ErrorCode::kInvalidArgument, "auto_drop_analysis: expected true, false or null");
  }
  if (drop == true) options.drop = harmony::AnalysisDrop::kOfficial;
  GPTOSS_TRY(const harmony::Conversation conversation, harmony::ConversationFromJson(input["conversation"]));
  GPTOSS_TRY(const harmony::Rendered rendered, harmony::Render(conversation, tokenizer, options));
  return Json{{"text", rendered.text}, {"ids", rendered.ids}};
}

Result<Json> ParseLine(const Json& input, const Tokenizer& tokenizer) {
  const auto ids = input.is_object() ? input.find("ids") : input.end();
  if (!input.is_object() || ids == input.end() || !ids->is_array()) {
    return Fail(ErrorCode::kInvalidArgument, "expected an object with an array \"ids\"");
  }
  harmony::ParserOptions options;
  const Json role = input.value("role", Json("assistant"));
  if (!role.is_null() && !role.is_string())
    return Fail(ErrorCode::kInvalidArgument, "role: expected a string or null");
  options.role = role.is_null() ? std::string() : role.get<std::string>();
  harmony::StreamParser parser(tokenizer, options);
  std::vector<harmony::ParserEvent> events;
  for (const Json& id : *ids) {
    if (!id.is_number_integer()) return Fail(ErrorCode::kInvalidArgument, "ids: expected integers");
    // Beyond 32 bits an id is as unknown as any other.
    const bool fits = !(id.is_number_unsigned() && id.get<std::uint64_t>() > 0x7FFFFFFF) &&
                      id.get<std::int64_t>() >= -0x7FFFFFFF;
    parser.Push(fits ? id.get<TokenId>() : -1, events);
    events.clear();
  }
  parser.Finish(events);
  return harmony::PolicyJson(parser);
}

struct HarmonyOptions {
  std::string tokenizer, model;
  bool jsonl = true;  // the only form there is
};

void RunLines(const HarmonyOptions& options, LineFunction line, int& exit_code) {
  const auto tokenizer = OpenSelectedTokenizer(options.tokenizer, options.model);
  if (!tokenizer) {
    Complain(tokenizer.error().message);
    exit_code = ExitCode(tokenizer.error().code);
    return;
  }
  const Status status =
      AnswerJsonLines([&](const Json& input) { return line(input, **tokenizer); }, exit_code);
  if (!status) {
    Complain(status.error().message);
    exit_code = ExitCode(status.error().code);
  }
}

void AddOne(CLI::App& harmony, const char* name, const char* help, LineFunction line, int& exit_code) {
  CLI::App* command = harmony.add_subcommand(name, help);
  // The parser writes into these after this function has returned: the callback keeps them alive.
  auto options = std::make_shared<HarmonyOptions>();
  AddTokenizerOptions(*command, options->tokenizer, options->model);
  command->add_flag("--jsonl", options->jsonl,
                    "one JSON object per line in and out (the only form there is)");
  command->callback([options, line, &exit_code] { RunLines(*options, line, exit_code); });
}

}  // namespace

void AddHarmonyCommand(CLI::App& app, int& exit_code) {
  CLI::App* harmony =
      app.add_subcommand("harmony", "Render conversations to token ids and parse completions");
  harmony->require_subcommand(1);
  AddOne(
      *harmony, "render",
      R"({"conversation":{"messages":[…]},"mode":"completion","auto_drop_analysis":true} -> {"text":…,"ids":[…]} or {"error":…})",
      RenderLine, exit_code);
  AddOne(*harmony, "parse",
         R"({"ids":[…],"role":"assistant"} -> {"messages":[…],"flags":[…]} or {"error":…})", ParseLine,
         exit_code);
}

}  // namespace gptoss::cli
