#include "settings/settings.h"

#include <fmt/format.h>

#include <cstdlib>
#include <span>

#include "settings/paths.h"
#include "settings/toml_file.h"

extern char** environ;  // NOLINT: the system's

namespace gptoss {
namespace {

// Why a bare number of a file cannot be a value of the type; "": it may be one.
std::string_view NumberHint(SettingType type, bool fraction) {
  switch (type) {
    case SettingType::kInteger:
      return fraction ? " (it takes a whole number)" : "";
    case SettingType::kBytes:
      return fraction ? " (a fraction wants a unit, in quotes: \"1.5GB\")" : "";
    case SettingType::kDuration:
      return " (it wants a unit, in quotes: \"10m\")";
    case SettingType::kString:
    case SettingType::kEnum:
    case SettingType::kPath:
      return " (text stands in quotes)";
    case SettingType::kBool:
    case SettingType::kNumber:
      break;
  }
  return "";
}

// A value that came typed from a file to the type of the declaration.
Result<SettingValue> FromToml(const Declaration& declaration, const TomlValue& value) {
  const auto refused = [&](std::string_view hint) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is {}; not {}{}", declaration.name, DescribeRange(declaration),
                            DescribeToml(value), hint));
  };
  const bool plain = declaration.type == SettingType::kBool || declaration.type == SettingType::kInteger ||
                     declaration.type == SettingType::kNumber;
  Result<SettingValue> converted = Unset{};
  if (const auto* text = std::get_if<std::string>(&value)) {
    converted = ParseSetting(declaration, *text);
    const bool unset = converted && std::holds_alternative<Unset>(*converted);
    if (plain && !unset) return refused(converted ? " (leave the quotes out)" : "");
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    converted = *flag;
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    converted = *number;
    if (declaration.type == SettingType::kNumber) converted = static_cast<double>(*number);
    if (declaration.type == SettingType::kBytes && *number >= 0)
      converted = ByteCount{static_cast<std::uint64_t>(*number)};
    if (const std::string_view hint = NumberHint(declaration.type, false); !hint.empty())
      return refused(hint);
  } else if (const auto* real = std::get_if<double>(&value)) {
    converted = *real;
    if (const std::string_view hint = NumberHint(declaration.type, true); !hint.empty()) return refused(hint);
  } else {
    return refused("");
  }
  if (converted && !CheckSetting(declaration, *converted)) return refused("");
  return converted;
}

}  // namespace

std::string_view SettingOriginName(SettingOrigin origin) {
  switch (origin) {
    case SettingOrigin::kDefault:
      return "default";
    case SettingOrigin::kSystemFile:
      return "system file";
    case SettingOrigin::kUserFile:
      return "user file";
    case SettingOrigin::kEnvironment:
      return "environment";
    case SettingOrigin::kFlag:
      return "flag";
  }
  return "default";
}

// Fills a snapshot, the weakest origin first; collects what is wrong.
class SettingsLoader {
 public:
  SettingsLoader() {
    for (std::size_t i = 0; i < kSettingCount; ++i) {
      // A test parses every default; a default that is wrong would be an unset value here, never a crash.
      if (auto value = ParseSetting(kDeclarations[i], kDeclarations[i].fallback); value)
        settings_->entries_[i].value = std::move(*value);
    }
#if defined(GPTOSS_DEVELOPER_BUILD)
    if (const auto index = FindSetting("telemetry.enabled"))
      Put(*index, true, SettingOrigin::kDefault, "of a developer build");
#endif
  }

  void ReadAll(const SettingsInput& input) {
    ReadFromFile(input.system_file, SettingOrigin::kSystemFile);
    ReadFromFile(input.user_file, SettingOrigin::kUserFile);
    if (input.environment) ReadEnvironment(input.environment);
    for (const std::string& variable : input.variables)
      if (std::string problem = MisspeltVariable(variable); !problem.empty())
        settings_->warnings_.push_back(std::move(problem));
    for (const auto& [name, text] : input.flags) ReadFlag(name, text);
  }

  std::shared_ptr<Settings> Take() { return std::move(settings_); }

 private:
  void Put(std::size_t index, SettingValue value, SettingOrigin origin, std::string where) {
    settings_->entries_[index] = {std::move(value), origin, std::move(where), {}};
  }
  void Broken(Error error) { settings_->problems_.push_back({std::move(error), std::nullopt}); }
  // The value of a weaker origin stays, marked as not in force.
  void Bad(std::size_t index, Error error, SettingOrigin origin, std::string where) {
    Settings::Entry& entry = settings_->entries_[index];
    entry.origin = origin;
    entry.problem = error.message;
    settings_->problems_.push_back({std::move(error).Within(where), index});
    entry.where = std::move(where);
  }

  void ReadFromFile(const std::filesystem::path& file, SettingOrigin origin) {
    auto text = ReadTomlFile(file);
    if (!text) return Broken(std::move(text).error());
    const std::optional<std::string>& contents = *text;
    if (!contents) return;
    auto entries = ParseConfiguration(*contents, file.string());
    if (!entries) return Broken(std::move(entries).error());
    for (const TomlEntry& entry : *entries) {
      const std::string where = fmt::format("{}:{}", file.string(), entry.line);
      const auto index = FindSetting(entry.name);
      if (!index) {
        const std::string_view nearest = NearestSetting(entry.name);
        settings_->warnings_.push_back(fmt::format(
            "{}: there is no setting '{}'{}", where, entry.name,
            nearest.empty() ? "; see 'gptoss config list'" : fmt::format("; did you mean {}?", nearest)));
        continue;
      }
      auto value = FromToml(kDeclarations[*index], entry.value);
      if (value) {
        Put(*index, std::move(*value), origin, where);
      } else {
        Bad(*index, std::move(value).error(), origin, where);
      }
    }
  }

  void ReadEnvironment(const std::function<const char*(const char*)>& environment) {
    for (std::size_t i = 0; i < kSettingCount; ++i) {
      const std::string variable = EnvironmentName(kDeclarations[i]);
      const char* text = environment(variable.c_str());
      if (text == nullptr) continue;
      // `GPTOSS_MODEL= gptoss …` unsets what may be unset; for the rest an empty variable is none.
      if (*text == '\0' && !kDeclarations[i].fallback.empty()) continue;
      PutText(i, text, SettingOrigin::kEnvironment, variable);
    }
  }

  void ReadFlag(const std::string& name, const std::string& text) {
    const auto index = FindSetting(name);
    if (index) return PutText(*index, text, SettingOrigin::kFlag, "--set");
    const std::string_view nearest = NearestSetting(name);
    Broken({ErrorCode::kInvalidArgument,
            fmt::format("there is no setting '{}'{}", name,
                        nearest.empty() ? "; see 'gptoss config list'"
                                        : fmt::format("; did you mean {}?", nearest))});
  }

  void PutText(std::size_t index, std::string_view text, SettingOrigin origin, const std::string& where) {
    auto value = ParseSetting(kDeclarations[index], text);
    if (!value) return Bad(index, std::move(value).error(), origin, where);
    Put(index, std::move(*value), origin, where);
  }

  // Not make_shared: the constructor is private to Settings and its friend.
  std::shared_ptr<Settings> settings_{new Settings};
};

namespace {

std::vector<std::string> VariablesOfProcess() {
  std::vector<std::string> names;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry(*at);
    if (entry.starts_with("GPTOSS_")) names.emplace_back(entry.substr(0, entry.find('=')));
  }
  return names;
}

}  // namespace

Result<SettingsInput> SettingsInput::FromProcess() {
  // Without a home folder there is no user's file, and all else still counts.
  const auto user_file = ConfigFile();
  return SettingsInput{.system_file = SystemConfigFile(),
                       .user_file = user_file ? *user_file : std::filesystem::path(),
                       .environment = [](const char* name) -> const char* { return std::getenv(name); },
                       .variables = VariablesOfProcess(),
                       .flags = {}};
}

Settings::Pointer Settings::LoadTolerant(const SettingsInput& input) {
  SettingsLoader loader;
  loader.ReadAll(input);
  return loader.Take();
}

Result<Settings::Pointer> Settings::Load(const SettingsInput& input) {
  Pointer settings = LoadTolerant(input);
  if (settings->problems().empty()) return settings;
  Error first = settings->problems().front().error;
  if (const std::size_t more = settings->problems().size() - 1; more > 0)
    first.message += fmt::format(" ({} more: see 'gptoss doctor')", more);
  return std::unexpected(std::move(first));
}

Result<Settings::Pointer> Settings::Load() {
  GPTOSS_TRY(const SettingsInput input, SettingsInput::FromProcess());
  return Load(input);
}

Settings::Pointer Settings::Defaults() { return LoadTolerant({}); }

}  // namespace gptoss
