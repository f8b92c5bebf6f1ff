// Puts the commands together. The only place where a stray exception is caught, and where bad use of the
// command line becomes one sentence.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/settings_option.h"
#include "cli/terminal.h"
#include "cli/version.h"

namespace {

using gptoss::cli::Complain;

constexpr int kBadUse = 2;
constexpr std::string_view kNoCommand = "a command is missing";

std::string CommandPath(const CLI::App& app) {
  std::string path = app.get_name();
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    path += " " + at->get_name();
  }
  return path;
}

// CLI11's wording of a bad value or a missing one, as people say it.
std::string Reworded(const CLI::ParseError& error) {
  const std::string what = error.what();
  constexpr std::string_view kUnreadable = "Could not convert: ";
  if (what.starts_with(kUnreadable))
    return fmt::format("{} cannot be read as a number", what.substr(kUnreadable.size()));
  if (what == "A subcommand is required") return std::string(kNoCommand);
  const std::size_t colon = what.find(": ");
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && what.starts_with("--") &&
      what.find("required") != std::string::npos && colon != std::string::npos &&
      what.find("At Most") == std::string::npos)
    return fmt::format("{} needs a value", what.substr(0, colon));
  if (what.starts_with("--") && what.find("At Most 1") != std::string::npos && colon != std::string::npos)
    return fmt::format("{} is given more than once", what.substr(0, colon));
  return what;
}

// CLI11's message as one sentence that says what to do.
std::string UsageSentence(const CLI::App& app, const CLI::ParseError& error) {
  const std::string path = CommandPath(app);
  std::string what = Reworded(error);
  const std::vector<std::string> extra = app.remaining(true);
  // Where a command is missing and a word is left, the word was meant as one.
  const bool no_command = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && what == kNoCommand;
  if ((no_command || dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) && !extra.empty()) {
    const std::string& first = extra.front();
    if (first.size() > 1 && first.front() == '-') {
      what = fmt::format("there is no option {}", first);
    } else if (no_command || app.get_subcommands().empty()) {
      what = fmt::format("there is no command '{}{}'",
                         no_command ? path.substr(path.find(' ') + 1) + " " : "", first);
    } else {
      what = fmt::format("one argument too many: '{}' (put a prompt with spaces into quotes)", first);
    }
  }
  while (!what.empty() && (what.back() == '.' || what.back() == '\n')) what.pop_back();
  return fmt::format("{}. See '{} --help'.", what, path);
}

// Commands that write through the standard streams leave it to this to notice a full disk. A reader that has
// gone is no loss: its pipe is in error.
bool LostStreamOutput() {
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  pollfd probe{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return !written && !(::poll(&probe, 1, 0) == 1 && (probe.revents & (POLLERR | POLLHUP)) != 0);
}

int Main(int argc, char** argv) {
  int exit_code = 0;
  CLI::App app("GPT-OSS as a native agent: runs the model in this process and speaks Harmony to it.",
               "gptoss");
  app.set_version_flag("--version", gptoss::cli::VersionText(), "Print version, compiler, kernels and CPU");
  app.set_help_flag("-h,--help", "Print this help, or that of a command");
  gptoss::cli::AddSetOption(app);
  app.fallthrough();  // --set may stand behind the command as well
  app.require_subcommand(0, 1);
  gptoss::cli::AddRunCommand(app, exit_code);
  gptoss::cli::AddChatCommand(app, exit_code);
  gptoss::cli::AddAcpCommand(app, exit_code);
  gptoss::cli::AddInstallCommand(app, exit_code);
  gptoss::cli::AddListCommand(app, exit_code);
  gptoss::cli::AddShowCommand(app, exit_code);
  gptoss::cli::AddVerifyCommand(app, exit_code);
  gptoss::cli::AddUpdateCommand(app, exit_code);
  gptoss::cli::AddDeleteCommand(app, exit_code);
  gptoss::cli::AddExportCommand(app, exit_code);
  gptoss::cli::AddInspectCommand(app, exit_code);
  gptoss::cli::AddConfigCommand(app, exit_code);
  gptoss::cli::AddDoctorCommand(app, exit_code);
  gptoss::cli::AddStatsCommand(app, exit_code);
  gptoss::cli::AddTokenizeCommand(app, exit_code);
  gptoss::cli::AddHarmonyCommand(app, exit_code);
  gptoss::cli::AddEvalCommand(app, exit_code);
  gptoss::cli::AddCompletionCommand(app, exit_code);
  app.footer("Try: gptoss run \"What is gptoss?\"");
  const auto print = [](const std::string& text) {
    auto& out = gptoss::cli::StandardOutput();
    out.Write(text);
    if (const auto status = out.status(); !status) {
      Complain(status.error().message);
      return 1;
    }
    return 0;
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    return print(std::string(version.what()) + "\n");
  } catch (const CLI::CallForHelp&) {
    return print(app.help());
  } catch (const CLI::ParseError& error) {
    Complain(UsageSentence(app, error));
    return kBadUse;
  }
  if (app.get_subcommands().empty()) return print(app.help());
  if (exit_code != 0) return exit_code;
  if (const auto status = gptoss::cli::StandardOutput().status(); !status) {
    Complain(status.error().message);
    return 1;
  }
  if (LostStreamOutput()) {
    Complain("cannot write the output");
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  gptoss::cli::ReserveStandardDescriptors();
  // A closed pipe is an error of write(), not the end of the program.
  ::signal(SIGPIPE, SIG_IGN);
  try {
    return Main(argc, argv);
  } catch (const std::bad_alloc&) {
    Complain("there is not enough memory.");
  } catch (const std::exception& error) {
    Complain(fmt::format("internal error: {}", error.what()));
  }
  return 1;
}
