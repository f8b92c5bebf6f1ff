// gptoss run: one prompt, one answer.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/generation_options.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_provider.h"
#include "cli/reporter.h"
#include "cli/terminal.h"

namespace gptoss::cli {

namespace {

struct RunArguments : GenerationArguments {
  std::string prompt;
  bool json = false;
};

Result<std::string> ReadPrompt(const RunArguments& arguments) {
  std::string piped;
  if (::isatty(STDIN_FILENO) == 0) {
    GPTOSS_TRY(piped, ReadAll(STDIN_FILENO));
  }
  std::string prompt = JoinPrompt(arguments.prompt, piped);
  if (prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "there is no prompt: give one as the argument or pipe it in, as in: gptoss run \"Who are you?\"");
  }
  return prompt;
}

int TurnExitCode(const StreamDone& done) {
  switch (done.end) {
    case TurnEnd::kAnswer:
    case TurnEnd::kToolCall:
      return 0;
    case TurnEnd::kMaxTokens:
    case TurnEnd::kContextLimit:
      return HasAnswer(done) ? 0 : 1;  // a beginning of an answer is one, and stderr says so
    case TurnEnd::kCancelled:
      return ExitCode(ErrorCode::kCancelled);
    case TurnEnd::kNoAnswer:
    case TurnEnd::kError:
      return 1;
  }
  return 1;
}

Result<int> Run(RunArguments& arguments) {
  GPTOSS_CHECK_OK(ApplySettings(arguments));
  GPTOSS_CHECK_OK(CheckArguments(arguments));
  GPTOSS_TRY(const harmony::Conversation conversation, StartConversation(arguments));
  GPTOSS_TRY(std::string prompt, ReadPrompt(arguments));
  GPTOSS_TRY(const Answering answering, OpenProvider(arguments));
  GptOssAgentProvider& provider = *answering.provider;
  const bool demo = answering.selected.demo();
  const CancelSource cancel;
  InterruptHandler interrupt;
  interrupt.BeginTurn(cancel);
  GPTOSS_CHECK_OK(LoadShown(answering, arguments.quiet, cancel.token()));
  GPTOSS_TRY(const SessionId session, provider.Resume(conversation));

  Output& out = StandardOutput();
  TextReporter text(
      out, StandardError(),
      {.show_reasoning = arguments.show_reasoning, .stats = arguments.stats, .quiet = arguments.quiet});
  JsonReporter json(out);
  Reporter& reporter = arguments.json ? static_cast<Reporter&>(json) : text;

  reporter.Begin(provider.model(), demo);
  const StreamDone done = RunTurn(provider, session, std::move(prompt), StreamOptionsFor(arguments, demo),
                                  cancel.token(), [&](const StreamChunk& chunk) {
                                    reporter.Chunk(chunk);
                                    return out.ok();  // nobody reads: stop working
                                  });
  const bool lost_reader = !out.ok();
  if (!lost_reader) reporter.End(done);
  if (const std::string problem = provider.telemetry_problem(); !problem.empty() && !arguments.quiet)
    Remark(problem);
  GPTOSS_CHECK_OK(out.status());
  // Until here a signal cancels the turn: one that came, came before the answer was out.
  if (cancel.cancelled()) return SignalExitCode();
  return lost_reader || out.closed() ? 0 : TurnExitCode(done);
}

}  // namespace

void AddRunCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* run = app.add_subcommand("run", "Answer one prompt: the answer on stdout, all else on stderr");
  run->add_option("prompt", arguments->prompt, "The prompt; text piped in is put behind it")
      ->type_name("PROMPT");
  run->add_flag("--json", arguments->json, "One JSON object per event on stdout");
  run->add_option("--tools", arguments->tools_file, "JSON array of functions that the model may call")
      ->type_name("FILE");
  AddGenerationOptions(*run, *arguments);
  run->footer(
      "A call of a function is printed on stdout as one line: "
      "{\"tool_call\":{\"name\":…,\"arguments\":{…}}}");
  run->callback([arguments, &exit_code] {
    const Result<int> result = Run(*arguments);
    if (result) {
      exit_code = *result;
      return;
    }
    if (arguments->json)
      StandardOutput().Write(DumpJson(Json{{"type", "error"},
                                           {"code", std::string(ErrorCodeName(result.error().code))},
                                           {"message", result.error().message}}) +
                             "\n");
    Complain(result.error().message);
    exit_code = ExitCodeOf(result.error());
  });
}

}  // namespace gptoss::cli
