// gptoss chat: a conversation in the terminal. With stdin piped it works through the lines as a script.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/generation_options.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_provider.h"
#include "cli/reporter.h"
#include "cli/terminal.h"

namespace gptoss::cli {

namespace {

constexpr std::string_view kHelp =
    "  /help                    this list\n"
    "  /reset                   forget the conversation\n"
    "  /effort low|medium|high  how long to reason from now on\n"
    "  /show-reasoning on|off   show the model's reasoning\n"
    "  /stats on|off            a line of numbers after each answer\n"
    "  /quit                    leave (so does Ctrl-D)\n"
    "A line that ends in \\ goes on in the next one. Ctrl-C stops an answer. //text sends \"/text\".\n";

class Chat {
 public:
  Chat(GenerationArguments arguments, const Answering& answering, harmony::Conversation start)
      : arguments_(std::move(arguments)),
        demo_(answering.selected.demo()),
        provider_(*answering.provider),
        start_(std::move(start)),
        interactive_(::isatty(STDIN_FILENO) == 1),
        reader_(STDIN_FILENO, interrupt_.wake_descriptor()),
        text_(StandardOutput(), StandardError(),
              {.show_reasoning = arguments_.show_reasoning,
               .stats = arguments_.stats,
               .quiet = arguments_.quiet}) {}

  // `start`: where the conversation begins, and begins again after /reset.
  Result<int> Loop() {
    GPTOSS_TRY(session_, provider_.Resume(start_));
    if (interactive_ && !arguments_.quiet) Say("type /help for the commands, /quit or Ctrl-D to leave.\n");
    std::string input;
    while (ReadInput(input)) {
      if (input.starts_with('/') && !input.starts_with("//")) {
        if (!Command(input)) break;
      } else if (!Trimmed(input).empty()) {
        Answer(input.starts_with('/') ? input.substr(1) : input);
        if (!StandardOutput().ok() || interrupt_.terminated()) break;
      }
    }
    GPTOSS_CHECK_OK(StandardOutput().status());
    if (interrupt_.terminated()) return 143;
    if (const Status status = reader_.status(); !status && !interactive_)
      return std::unexpected(status.error());
    return exit_code_;
  }

 private:
  static void Say(std::string_view text) { StandardError().Write(Dimmed(text, StandardError())); }

  // One message, joined from lines that end in a backslash. False: leave.
  bool ReadInput(std::string& input) {
    input.clear();
    bool continued = false;
    while (true) {
      if (interactive_) StandardError().Write(continued ? ". " : "> ");
      std::string line;
      switch (reader_.Next(line)) {
        case LineReader::Event::kEnd:
          if (interactive_) StandardError().Write("\n");
          return continued && !input.empty();
        case LineReader::Event::kInterrupt:
          interrupt_.TakeInterrupt();
          StandardError().Write("\n");
          if (!interactive_ || asked_to_leave_ || interrupt_.terminated()) {
            if (!interactive_) exit_code_ = 130;
            return false;
          }
          asked_to_leave_ = true;
          Say("press Ctrl-C again or type /quit to leave\n");
          input.clear();
          continued = false;
          continue;
        case LineReader::Event::kLine:
          break;
      }
      asked_to_leave_ = false;
      continued = line.ends_with('\\');
      if (continued) line.back() = '\n';
      input += line;
      if (!continued) break;
    }
    input = ReplaceInvalidUtf8(input);
    return true;
  }

  // False: leave.
  bool Command(std::string_view input) {
    input = Trimmed(input);
    const std::size_t space = input.find_first_of(" \t");
    const std::string_view name = input.substr(0, space);
    const std::string_view value = space == std::string_view::npos ? "" : Trimmed(input.substr(space));
    if (name == "/quit" || name == "/exit") return false;
    if (name == "/help") {
      StandardError().Write(kHelp);
    } else if (name == "/reset") {
      Reset();
    } else if (name == "/effort") {
      SetEffort(value);
    } else if (name == "/stats" || name == "/show-reasoning") {
      Switch(name, value);
    } else {
      Refuse(fmt::format("there is no command {}; /help lists them", name));
    }
    return true;
  }

  void Reset() {
    auto fresh = provider_.Resume(start_);
    if (!fresh) return Refuse(fresh.error().message);
    provider_.EndSession(session_);
    session_ = std::move(*fresh);
    Say("the conversation is forgotten\n");
  }

  // A script goes on after a wrong line, but does not end as if nothing had happened.
  void Refuse(std::string_view sentence) {
    Complain(sentence);
    if (!interactive_) exit_code_ = 2;
  }

  void SetEffort(std::string_view value) {
    auto effort = harmony::ParseReasoningEffort(value);
    if (!effort) return Refuse("/effort takes low, medium or high");
    auto* system = std::get_if<harmony::SystemContent>(&start_.messages.front().content.front());
    if (system != nullptr) system->reasoning_effort = *effort;
    effort_ = *effort;
    Say(fmt::format("reasoning effort: {}\n", value));
  }

  void Switch(std::string_view name, std::string_view value) {
    if (value != "on" && value != "off") return Refuse(fmt::format("{} takes on or off", name));
    TextReporterOptions options = text_.options();
    (name == "/stats" ? options.stats : options.show_reasoning) = value == "on";
    text_.set_options(options);
    Say(fmt::format("{} is {}\n", name.substr(1), value));
  }

  void Answer(std::string_view prompt) {
    const CancelSource cancel;
    StreamOptions options = StreamOptionsFor(arguments_, demo_);
    options.effort = effort_;
    interrupt_.BeginTurn(cancel);
    text_.Begin(provider_.model(), demo_);
    const StreamDone done = RunTurn(provider_, session_, std::string(prompt), options, cancel.token(),
                                    [&](const StreamChunk& chunk) {
                                      text_.Chunk(chunk);
                                      return StandardOutput().ok();
                                    });
    interrupt_.EndTurn();
    text_.End(done);
    if (done.end == TurnEnd::kToolCall) Complain("the model called a function, but a chat has none.");
    if (done.end == TurnEnd::kCancelled) {
      if (interactive_) Say("(stopped)\n");
      if (!interactive_) exit_code_ = 130;
      asked_to_leave_ = true;  // one more Ctrl-C, with nothing asked in between, leaves
    } else if (!interactive_ && (done.end == TurnEnd::kToolCall || !HasAnswer(done))) {
      exit_code_ = 1;
    }
    if (const std::string problem = provider_.telemetry_problem();
        !problem.empty() && !problem_told_ && !arguments_.quiet) {
      problem_told_ = true;
      Remark(problem);
    }
  }

  GenerationArguments arguments_;
  bool demo_;
  GptOssAgentProvider& provider_;
  harmony::Conversation start_;
  SessionId session_;
  std::optional<harmony::ReasoningEffort> effort_;  // none: as the conversation began
  bool problem_told_ = false;
  bool interactive_;
  bool asked_to_leave_ = false;
  int exit_code_ = 0;
  InterruptHandler interrupt_;
  LineReader reader_;
  TextReporter text_;
};

Result<int> RunChat(GenerationArguments& arguments) {
  GPTOSS_CHECK_OK(ApplySettings(arguments));
  GPTOSS_CHECK_OK(CheckArguments(arguments));
  GPTOSS_TRY(harmony::Conversation start, StartConversation(arguments));
  GPTOSS_TRY(const Answering answering, OpenProvider(arguments));
  GPTOSS_CHECK_OK(LoadShown(answering, arguments.quiet, {}));
  return Chat(arguments, answering, std::move(start)).Loop();
}

}  // namespace

void AddChatCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<GenerationArguments>();
  CLI::App* chat = app.add_subcommand("chat", "Talk with the model; /help inside lists the commands");
  AddGenerationOptions(*chat, *arguments);
  chat->callback([arguments, &exit_code] {
    const Result<int> result = RunChat(*arguments);
    exit_code = result ? *result : ExitCodeOf(result.error());
    if (!result) Complain(result.error().message);
  });
}

}  // namespace gptoss::cli
