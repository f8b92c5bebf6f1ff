// gptoss config: the settings in force, where each comes from, and changes of the user's file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/settings_option.h"
#include "cli/terminal.h"
#include "settings/paths.h"
#include "settings/settings.h"
#include "settings/store.h"

namespace gptoss::cli {
namespace {

struct ConfigOptions {
  std::string name, value;
  bool json = false, changed = false, all = false;
};

Json JsonOf(const SettingValue& value) {
  if (std::holds_alternative<Unset>(value)) return nullptr;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* size = std::get_if<ByteCount>(&value)) return size->bytes;
  return FormatSetting(value);
}

// As it is declared, unless this build has another.
std::string DefaultOf(std::size_t index) {
  static const Settings::Pointer defaults = Settings::Defaults();
  const Settings::Entry& entry = defaults->entry(index);
  return entry.where.empty() ? std::string(kDeclarations[index].fallback) : FormatSetting(entry.value);
}

// What a bad value leaves unsaid: it is not in force, and neither is another.
Json Describe(const Settings& settings, std::size_t index) {
  const Declaration& d = kDeclarations[index];
  const Settings::Entry& entry = settings.entry(index);
  const bool good = entry.problem.empty();
  const auto or_null = [](std::string_view text) {
    return text.empty() ? Json(nullptr) : Json(std::string(text));
  };
  return {{"name", std::string(d.name)},
          {"value", good ? JsonOf(entry.value) : Json(nullptr)},
          {"text", good ? Json(FormatSetting(entry.value)) : Json(nullptr)},
          {"problem", or_null(entry.problem)},
          {"origin", std::string(SettingOriginName(entry.origin))},
          {"where", or_null(entry.where)},
          {"type", std::string(SettingTypeName(d.type))},
          {"default", or_null(DefaultOf(index))},
          {"range", DescribeRange(d)},
          {"unit", or_null(d.unit)},
          {"environment", EnvironmentName(d)},
          {"flag", or_null(d.flag)},
          {"help", std::string(d.help)}};
}

std::string Line(const Settings& settings, std::size_t index) {
  const Declaration& d = kDeclarations[index];
  const Settings::Entry& entry = settings.entry(index);
  std::string origin(SettingOriginName(entry.origin));
  if (!entry.where.empty()) origin += fmt::format(" {}", entry.where);
  const std::string fallback = DefaultOf(index);
  std::string out = entry.problem.empty()
                        ? fmt::format("{} = {}    ({})\n", d.name, FormatSetting(entry.value), origin)
                        : fmt::format("{} is refused    ({}: {})\n", d.name, origin, entry.problem);
  out += fmt::format("    {}.\n    {}; {}{}{}\n", d.help, DescribeRange(d), EnvironmentName(d),
                     d.flag.empty() ? "" : fmt::format("; {}", d.flag),
                     entry.origin == SettingOrigin::kDefault
                         ? ""
                         : fmt::format("; default: {}", fallback.empty() ? "none" : fallback));
  return WithoutControls(out);
}

std::unexpected<Error> NoSuchSetting(std::string_view name) {
  const std::string_view nearest = NearestSetting(name);
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("there is no setting '{}'{}", name,
                          nearest.empty() ? "; see 'gptoss config list'"
                                          : fmt::format("; did you mean {}?", nearest)));
}

using NameFilter = std::function<bool(std::string_view)>;

// `filter`: a name or a section; "": all.
NameFilter Wanted(const std::string& filter) {
  return [&filter](std::string_view name) {
    return filter.empty() || name == filter || name.starts_with(filter + ".");
  };
}

// Looking goes on where another setting is bad: that is remarked. What was asked for being bad is an error,
// and so is a file that says nobody knows what.
Status TellProblems(const Settings& settings, const NameFilter& asked) {
  for (const std::string& warning : settings.warnings()) Remark(warning);
  std::optional<Error> last;
  for (const Settings::Problem& problem : settings.problems()) {
    const bool in_force = problem.setting && settings.entry(*problem.setting).problem.empty();
    if (problem.setting && (in_force || !asked(kDeclarations[*problem.setting].name))) {
      Remark(fmt::format("{} (until it is corrected, nothing that acts on settings starts)",
                         problem.error.message));
      continue;
    }
    if (last) Complain(last->message);
    last = problem.error;
  }
  return last ? Status(std::unexpected(*last)) : Status();
}

Status List(const ConfigOptions& options) {
  GPTOSS_TRY(const SettingsInput input, CurrentSettingsInput());
  const Settings::Pointer settings = Settings::LoadTolerant(input);
  Json rows = Json::array();
  std::string text;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < kSettingCount; ++i) {
    const std::string_view name = kDeclarations[i].name;
    if (!Wanted(options.name)(name)) continue;
    ++shown;
    if (options.changed && settings->entry(i).origin == SettingOrigin::kDefault) continue;
    rows.push_back(Describe(*settings, i));
    text += Line(*settings, i);
  }
  if (shown == 0) return NoSuchSetting(options.name);
  StandardOutput().Write(options.json ? DumpJson(rows) + "\n" : text);
  return TellProblems(*settings, Wanted(options.name));
}

Status Get(const ConfigOptions& options) {
  const auto index = FindSetting(options.name);
  if (!index) return NoSuchSetting(options.name);
  GPTOSS_TRY(const SettingsInput input, CurrentSettingsInput());
  const Settings::Pointer settings = Settings::LoadTolerant(input);
  const Status told = TellProblems(*settings, [&](std::string_view name) { return name == options.name; });
  if (options.json) {
    StandardOutput().Write(DumpJson(Describe(*settings, *index)) + "\n");
  } else if (told) {
    StandardOutput().Write(WithoutControls(FormatSetting(settings->entry(*index).value)) + "\n");
  }
  return told;
}

// What the file says may not be what holds: something stronger may be there.
void TellOfStronger(const std::string& name) {
  const auto input = CurrentSettingsInput();
  const auto index = FindSetting(name);
  if (!input || !index) return;
  const Settings::Entry entry = Settings::LoadTolerant(*input)->entry(*index);
  if (entry.origin != SettingOrigin::kEnvironment && entry.origin != SettingOrigin::kFlag) return;
  Remark(fmt::format("{} is set as well and goes before the file: {} is {} now", entry.where, name,
                     FormatSetting(entry.value)));
}

Status Set(const ConfigOptions& options) {
  GPTOSS_TRY(const std::filesystem::path file, ConfigFile());
  GPTOSS_CHECK_OK(WriteSetting(file, options.name, options.value));
  TellOfStronger(options.name);
  return {};
}

Status Unset(const ConfigOptions& options) {
  GPTOSS_TRY(const std::filesystem::path file, ConfigFile());
  GPTOSS_TRY(const bool removed, RemoveSetting(file, options.name));
  if (!removed) Remark(fmt::format("{} was not set in {}", options.name, file.string()));
  return {};
}

Status Path(const ConfigOptions& options) {
  GPTOSS_TRY(const std::filesystem::path config, ConfigFile());
  if (!options.all && !options.json) {
    StandardOutput().Write(config.string() + "\n");
    return {};
  }
  GPTOSS_TRY(const std::filesystem::path policy, UserPolicyFile());
  GPTOSS_TRY(const std::filesystem::path state, StateDirectory());
  GPTOSS_TRY(const std::filesystem::path data, DataDirectory());
  GPTOSS_TRY(const std::filesystem::path cache, CacheDirectory());
  const Json paths = {{"config", config.string()},
                      {"policy", policy.string()},
                      {"system_config", SystemConfigFile().string()},
                      {"system_policy", SystemPolicyFile().string()},
                      {"state", state.string()},
                      {"data", data.string()},
                      {"cache", cache.string()}};
  std::string text;
  for (const auto& [name, path] : paths.items())
    text += fmt::format("{:14} {}\n", name, path.get<std::string>());
  StandardOutput().Write(options.json ? DumpJson(paths) + "\n" : text);
  return {};
}

using Action = Status (*)(const ConfigOptions&);
CLI::App* Add(CLI::App& config, const char* name, const char* help, Action action,
              const std::shared_ptr<ConfigOptions>& options, int& exit_code) {
  CLI::App* command = config.add_subcommand(name, help);
  command->callback([options, action, &exit_code] {
    if (const Status status = action(*options); !status) {
      Complain(status.error().message);
      exit_code = ExitCode(status.error().code);
    }
  });
  return command;
}

}  // namespace

void AddConfigCommand(CLI::App& app, int& exit_code) {
  CLI::App* config = app.add_subcommand("config", "Show and change settings");
  config->require_subcommand(1);
  config->footer("Example: gptoss config set memory.idle_unload 30m");
  const auto options = std::make_shared<ConfigOptions>();

  CLI::App* list = Add(*config, "list", "All settings: value, origin, range, help", List, options, exit_code);
  list->add_option("name", options->name, "Only this setting, or this section")->type_name("SETTING");
  list->add_flag("--changed", options->changed, "Only what is not at its default");
  list->add_flag("--json", options->json, "One JSON array");

  CLI::App* get = Add(*config, "get", "One value", Get, options, exit_code);
  get->add_option("name", options->name, "Its name")->type_name("SETTING")->required();
  get->add_flag("--json", options->json, "One JSON object, with origin and help");

  CLI::App* set = Add(*config, "set", "Change a setting in the user's file", Set, options, exit_code);
  set->add_option("name", options->name, "Its name")->type_name("SETTING")->required();
  set->add_option("value", options->value, "The new value")->type_name("VALUE")->required();

  CLI::App* unset = Add(*config, "unset", "Take a setting out of the user's file", Unset, options, exit_code);
  unset->add_option("name", options->name, "Its name")->type_name("SETTING")->required();

  CLI::App* path = Add(*config, "path", "Where the user's file is", Path, options, exit_code);
  path->add_flag("--all", options->all, "All files and folders of gptoss");
  path->add_flag("--json", options->json, "All of them as one JSON object");
}

}  // namespace gptoss::cli
