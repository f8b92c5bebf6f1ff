// gptoss completion: scripts for shells, generated from CLI11's own tree so that they cannot fall behind it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "settings/declarations.h"

namespace gptoss::cli {

namespace {

// Asked while completing, a few milliseconds each.
constexpr const char* kInstalledNames = "gptoss list --names 2>/dev/null";
constexpr const char* kCatalogNames = "gptoss list --catalog --names 2>/dev/null";

struct OptionWords {
  std::vector<std::string> names;  // "-m", "--model"
  std::string help;
  bool takes_value = false;
  bool takes_file = false;
  bool takes_model = false;          // an installed model's name, or a path
  std::vector<std::string> choices;  // of "low|medium|high"
};

struct CommandWords {
  std::string path;                                           // "", "/run", "/harmony/render"
  std::vector<std::pair<std::string, std::string>> commands;  // name, help
  std::vector<OptionWords> options;
  std::vector<std::string> choices;  // of a positional
  std::string models;                // of a positional: the command that prints the names; "": none

  std::vector<std::string> AllWords() const {
    std::vector<std::string> words;
    for (const auto& [name, help] : commands) words.push_back(name);
    words.insert(words.end(), choices.begin(), choices.end());
    for (const OptionWords& option : options)
      words.insert(words.end(), option.names.begin(), option.names.end());
    return words;
  }
};

bool TakesPath(const std::string& type) { return type == "PATH" || type == "FILE" || type == "CHECKPOINT"; }

std::vector<std::string> Choices(const std::string& type) {
  std::vector<std::string> choices;
  if (type == "SETTING")
    for (const Declaration& declaration : kDeclarations) choices.emplace_back(declaration.name);
  if (type.find('|') == std::string::npos) return choices;
  for (std::size_t at = 0; at <= type.size();) {
    const std::size_t bar = std::min(type.find('|', at), type.size());
    choices.push_back(type.substr(at, bar - at));
    at = bar + 1;
  }
  return choices;
}

void Collect(CLI::App& app, const std::string& path, std::vector<CommandWords>& all) {
  CommandWords words{.path = path, .commands = {}, .options = {}, .choices = {}, .models = {}};
  for (const CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    if (!option->nonpositional()) {
      for (std::string& choice : Choices(type)) words.choices.push_back(std::move(choice));
      // What can be installed is what the catalog knows; every other command wants what is here.
      if (type == "MODEL") words.models = path == "/install" ? kCatalogNames : kInstalledNames;
      continue;
    }
    OptionWords entry;
    for (const std::string& name : option->get_snames()) entry.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) entry.names.push_back("--" + name);
    entry.help = option->get_description();
    entry.takes_value = option->get_items_expected_max() > 0;
    entry.takes_model = entry.takes_value && type == "MODEL";
    entry.takes_file = entry.takes_value && (TakesPath(type) || entry.takes_model);
    if (entry.takes_value) entry.choices = Choices(type);
    words.options.push_back(std::move(entry));
  }
  const std::vector<CLI::App*> commands = app.get_subcommands([](CLI::App*) { return true; });
  for (const CLI::App* command : commands)
    words.commands.emplace_back(command->get_name(), command->get_description());
  all.push_back(std::move(words));
  for (CLI::App* command : commands) Collect(*command, path + "/" + command->get_name(), all);
}

std::string Join(const std::vector<std::string>& words, std::string_view between) {
  return fmt::format("{}", fmt::join(words, between));
}

// For all three shells a single quote inside single quotes is left, quoted and opened again.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c == '\n' ? ' ' : c;
    }
  }
  return out + "'";
}

// "    /run:-m|/run:--model) ACTION ;;" for the options that take a value.
std::string ValueCases(const std::vector<CommandWords>& all, std::string_view files, std::string_view models,
                       std::string_view words_before, std::string_view words_after) {
  std::string out;
  for (const CommandWords& command : all) {
    for (const OptionWords& option : command.options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) patterns.push_back(command.path + ":" + name);
      std::string action;
      if (option.takes_file) action = std::string(files) + "; ";
      if (option.takes_model) action += std::string(models) + "; ";
      if (!option.choices.empty())
        action = fmt::format("{}{}{}; ", words_before, Join(option.choices, " "), words_after);
      out += fmt::format("    {}) {}return ;;\n", Join(patterns, "|"), action);
    }
  }
  return out;
}

// How the words before the cursor lead down the tree of commands.
std::string PathCases(const std::vector<CommandWords>& all) {
  std::string out;
  for (const CommandWords& command : all)
    if (!command.path.empty()) out += fmt::format("      {0}) at={0} ;;\n", command.path);
  return out;
}

std::string BashScript(const std::vector<CommandWords>& all) {
  std::string out =
      "# gptoss completion for bash: eval \"$(gptoss completion bash)\"\n"
      "_gptoss() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= i\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$at/${COMP_WORDS[i]}\" in\n" +
      PathCases(all) +
      "    esac\n"
      "  done\n"
      "  case \"$at:$prev\" in\n" +
      ValueCases(all, "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))",
                 fmt::format("COMPREPLY+=($(compgen -W \"$({})\" -- \"$cur\"))", kInstalledNames),
                 "COMPREPLY=($(compgen -W '", "' -- \"$cur\"))") +
      "  esac\n"
      "  case \"$at\" in\n";
  for (const CommandWords& command : all) {
    out +=
        fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")){} ;;\n",
                    command.path.empty() ? "''" : command.path, Join(command.AllWords(), " "),
                    command.models.empty()
                        ? std::string()
                        : fmt::format("; COMPREPLY+=($(compgen -W \"$({})\" -- \"$cur\"))", command.models));
  }
  return out + "  esac\n}\ncomplete -o default -F _gptoss gptoss\n";
}

std::string ZshScript(const std::vector<CommandWords>& all) {
  std::string out =
      "#compdef gptoss\n"
      "# gptoss completion for zsh: eval \"$(gptoss completion zsh)\" after compinit\n"
      "_gptoss() {\n"
      "  local at= i prev=${words[CURRENT-1]}\n"
      "  local -a entries\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    case \"$at/${words[i]}\" in\n" +
      PathCases(all) +
      "    esac\n"
      "  done\n"
      "  case \"$at:$prev\" in\n" +
      ValueCases(all, "_files", fmt::format("compadd -- ${{(f)\"$({})\"}}", kInstalledNames), "compadd -- ",
                 "") +
      "  esac\n"
      "  case \"$at\" in\n";
  for (const CommandWords& command : all) {
    out += fmt::format("    {}) entries=(", command.path.empty() ? "''" : command.path);
    for (const auto& [name, help] : command.commands) out += " " + Quoted(name + ":" + help);
    for (const std::string& choice : command.choices) out += " " + Quoted(choice);
    for (const OptionWords& option : command.options)
      for (const std::string& name : option.names) out += " " + Quoted(name + ":" + option.help);
    out += " )";
    if (!command.models.empty()) out += fmt::format("; compadd -- ${{(f)\"$({})\"}}", command.models);
    out += " ;;\n";
  }
  return out +
         "  esac\n"
         "  _describe gptoss entries || _files\n"
         "}\n"
         "if [[ ${funcstack[1]} == _gptoss ]]; then _gptoss \"$@\"; else compdef _gptoss gptoss; fi\n";
}

std::string FishScript(const std::vector<CommandWords>& all) {
  std::string out = "# gptoss completion for fish: gptoss completion fish | source\n";
  for (const CommandWords& command : all) {
    std::string condition = "__fish_use_subcommand";
    if (!command.path.empty()) {
      condition.clear();
      for (std::size_t at = 0; at != std::string::npos;) {
        const std::size_t next = command.path.find('/', at + 1);
        condition += (condition.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") +
                     command.path.substr(at + 1, next == std::string::npos ? next : next - at - 1);
        at = next;
      }
    }
    const std::string start = fmt::format("complete -c gptoss -n '{}'", condition);
    for (const auto& [name, help] : command.commands)
      out += fmt::format("{} -f -a {} -d {}\n", start, name, Quoted(help));
    if (!command.choices.empty()) out += fmt::format("{} -f -a '{}'\n", start, Join(command.choices, " "));
    if (!command.models.empty()) out += fmt::format("{} -f -a '({})'\n", start, command.models);
    for (const OptionWords& option : command.options) {
      out += start;
      for (const std::string& name : option.names)
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (option.takes_file) out += " -r -F";
      if (option.takes_model) out += fmt::format(" -a '({})'", kInstalledNames);
      if (option.takes_value && !option.takes_file) out += " -x";
      if (!option.choices.empty()) out += fmt::format(" -a '{}'", Join(option.choices, " "));
      out += fmt::format(" -d {}\n", Quoted(option.help));
    }
  }
  return out;
}

}  // namespace

void AddCompletionCommand(CLI::App& app, int& exit_code) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion = app.add_subcommand("completion", "Print a completion script for a shell");
  completion->add_option("shell", *shell, "bash, zsh or fish")->type_name("bash|zsh|fish")->required();
  completion->footer("Once:  eval \"$(gptoss completion bash)\"     fish:  gptoss completion fish | source");
  completion->callback([&app, shell, &exit_code] {
    std::vector<CommandWords> all;
    Collect(app, "", all);
    std::string script;
    if (*shell == "bash") script = BashScript(all);
    if (*shell == "zsh") script = ZshScript(all);
    if (*shell == "fish") script = FishScript(all);
    if (script.empty()) {
      Complain(fmt::format("no completion for '{}': bash, zsh and fish have one.", *shell));
      exit_code = 2;
      return;
    }
    StandardOutput().Write(script);
    if (const Status status = StandardOutput().status(); !status) {
      Complain(status.error().message);
      exit_code = 1;
    }
  });
}

}  // namespace gptoss::cli
