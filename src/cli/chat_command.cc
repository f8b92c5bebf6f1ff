// gptoss chat: a conversation in the terminal. With stdin piped it works through the lines as a script.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/generation_options.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_option.h"
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
constexpr const char* kConversationKey = "chat";

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

class Chat {
 public:
  Chat(GenerationArguments arguments, bool demo, LoadedModel& model, harmony::Conversation start)
      : arguments_(std::move(arguments)),
        demo_(demo),
        model_(model),
        start_(std::move(start)),
        conversation_(start_),
        interactive_(::isatty(STDIN_FILENO) == 1),
        reader_(STDIN_FILENO, interrupt_.wake_descriptor()),
        text_(StandardOutput(), StandardError(),
              {.show_reasoning = arguments_.show_reasoning,
               .stats = arguments_.stats,
               .quiet = arguments_.quiet}) {}

  Result<int> Loop() {
    if (interactive_ && !arguments_.quiet) Say("type /help for the commands, /quit or Ctrl-D to leave.\n");
    std::string input;
    while (ReadInput(input)) {
      if (input.starts_with('/') && !input.starts_with("//")) {
        if (!Command(input)) break;
      } else if (!Trim(input).empty()) {
        Answer(input.starts_with('/') ? input.substr(1) : input);
        if (!StandardOutput().ok()) break;
      }
    }
    GPTOSS_CHECK_OK(StandardOutput().status());
    if (interrupt_.terminated()) return 143;
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
    input = Trim(input);
    const std::size_t space = input.find_first_of(" \t");
    const std::string_view name = input.substr(0, space);
    const std::string_view value = space == std::string_view::npos ? "" : Trim(input.substr(space));
    if (name == "/quit" || name == "/exit") return false;
    if (name == "/help") {
      StandardError().Write(kHelp);
    } else if (name == "/reset") {
      conversation_ = start_;
      model_.engine().ForgetConversation(kConversationKey);
      Say("the conversation is forgotten\n");
    } else if (name == "/effort") {
      SetEffort(value);
    } else if (name == "/stats" || name == "/show-reasoning") {
      Switch(name, value);
    } else {
      Refuse(fmt::format("there is no command {}; /help lists them", name));
    }
    return true;
  }

  // A script goes on after a wrong line, but does not end as if nothing had happened.
  void Refuse(std::string_view sentence) {
    Complain(sentence);
    if (!interactive_) exit_code_ = 2;
  }

  void SetEffort(std::string_view value) {
    auto effort = harmony::ParseReasoningEffort(value);
    if (!effort) return Refuse("/effort takes low, medium or high");
    for (harmony::Conversation* conversation : {&start_, &conversation_}) {
      auto* system = std::get_if<harmony::SystemContent>(&conversation->messages.front().content.front());
      if (system != nullptr) system->reasoning_effort = *effort;
    }
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
    conversation_.messages.push_back(harmony::UserMessage(std::string(prompt)));
    const CancelSource cancel;
    TurnOptions options;
    options.sampling = SamplingFor(arguments_, demo_);
    options.max_tokens = arguments_.max_tokens.value_or(0);
    options.conversation_key = kConversationKey;
    options.cancel = cancel.token();
    interrupt_.BeginTurn(cancel);
    text_.Begin(model_, demo_);
    const TurnResult result = model_.RunTurn(
        conversation_, options, [&](const harmony::ParserEvent& event, const harmony::StreamParser& parser) {
          text_.Event(event, parser);
          if (!StandardOutput().ok()) cancel.Cancel();
        });
    interrupt_.EndTurn();
    text_.End(result);
    Remember(result);
    if (result.end == TurnEnd::kCancelled) {
      if (interactive_) Say("(stopped)\n");
      if (!interactive_) exit_code_ = 130;
    }
    if (!interactive_ && result.end != TurnEnd::kCancelled && result.answer.empty()) exit_code_ = 1;
  }

  // An answer that was cut short stays as far as the reader saw it; a turn without one leaves no trace, so
  // that the next prompt does not follow an unanswered one.
  void Remember(const TurnResult& result) {
    if (result.end == TurnEnd::kAnswer) {
      AppendTurn(result, conversation_);
    } else if (!result.answer.empty()) {
      conversation_.messages.push_back(harmony::AssistantMessage("final", result.answer));
    } else {
      conversation_.messages.pop_back();
      if (result.end == TurnEnd::kToolCall) Complain("the model called a function, but a chat has none.");
    }
  }

  GenerationArguments arguments_;
  bool demo_;
  LoadedModel& model_;
  harmony::Conversation start_, conversation_;
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
  GPTOSS_TRY(const std::unique_ptr<LoadedModel> model, LoadSelectedModel(arguments));
  GPTOSS_TRY(const SelectedModel selected, SelectModel(arguments.model));
  return Chat(arguments, selected.demo(), *model, std::move(start)).Loop();
}

}  // namespace

void AddChatCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<GenerationArguments>();
  CLI::App* chat = app.add_subcommand("chat", "Talk with the model; /help inside lists the commands");
  AddGenerationOptions(*chat, *arguments);
  chat->callback([arguments, &exit_code] {
    const Result<int> result = RunChat(*arguments);
    exit_code = result ? *result : ExitCode(result.error().code);
    if (!result) Complain(result.error().message);
  });
}

}  // namespace gptoss::cli
