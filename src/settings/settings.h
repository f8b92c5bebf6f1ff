// The settings in force: each value with its origin. default < system file < user file < environment < flag.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "settings/declarations.h"
#include "settings/value.h"

namespace gptoss {

enum class SettingOrigin : std::uint8_t { kDefault, kSystemFile, kUserFile, kEnvironment, kFlag };
std::string_view SettingOriginName(SettingOrigin origin);  // "default", "system file", "user file" …

// Where settings are read from. Tests build their own; FromProcess() is the real thing.
struct SettingsInput {
  std::filesystem::path system_file, user_file;  // "": there is none; a missing file is none as well
  std::function<const char*(const char*)> environment = {};  // as std::getenv; empty: no environment
  std::vector<std::string> variables = {};  // names that are there, to tell of those that no setting has
  std::vector<std::pair<std::string, std::string>> flags = {};  // name and text, e.g. from --set name=text

  static Result<SettingsInput> FromProcess();
};

// An immutable snapshot: make it once, share it with any thread. Load again to see changes.
//
//   GPTOSS_TRY(auto settings, Settings::Load());
//   double temperature = settings->Number("generation.temperature");     // the name is checked by the
//   compiler if (auto bound = settings->BytesIfSet("memory.bound")) …
class Settings {
 public:
  using Pointer = std::shared_ptr<const Settings>;
  struct Entry {
    SettingValue value;
    SettingOrigin origin = SettingOrigin::kDefault;
    std::string where;  // "/home/…/config.toml:12", "GPTOSS_MODEL", "--set"; "": declared
    // Tolerant loading: why what stands at `where` was refused, with the range; `value` is not in force then.
    std::string problem;
  };
  struct Problem {
    Error error;                         // with the place, and what to do
    std::optional<std::size_t> setting;  // whose value is bad; none: a whole file, or a flag's name
  };

  // Strict: for whatever acts on the settings (loads, downloads, serves). Errors: kInvalidArgument for a bad
  // value and for a file that is no TOML (with line and what to do); kPermissionDenied, …
  static Result<Pointer> Load(const SettingsInput& input);
  static Result<Pointer> Load();
  // For commands that only look, or that repair: what cannot be read is left out, the next lower origin
  // counts, and every error is in problems(). Never use it to act: a file that forbids something may be the
  // one that is broken.
  static Pointer LoadTolerant(const SettingsInput& input);
  static Pointer Defaults();

  // One sentence each: what Load() would refuse (tolerant loading only).
  const std::vector<Problem>& problems() const { return problems_; }
  // Unknown keys and the like; they never stop anything, but the user should see them.
  const std::vector<std::string>& warnings() const { return warnings_; }

  const Entry& entry(std::size_t index) const { return entries_[index]; }

  bool Bool(SettingName<SettingType::kBool, false> name) const { return Get<bool>(name); }
  std::int64_t Integer(SettingName<SettingType::kInteger, false> name) const {
    return Get<std::int64_t>(name);
  }
  double Number(SettingName<SettingType::kNumber, false> name) const { return Get<double>(name); }
  const std::string& String(SettingName<SettingType::kString, false> name) const {
    return Get<std::string>(name);
  }
  const std::string& Enum(SettingName<SettingType::kEnum, false> name) const {
    return Get<std::string>(name);
  }
  Duration Time(SettingName<SettingType::kDuration, false> name) const { return Get<Duration>(name); }
  std::uint64_t Bytes(SettingName<SettingType::kBytes, false> name) const {
    return Get<ByteCount>(name).bytes;
  }

  // Settings without a default.
  std::optional<std::int64_t> IntegerIfSet(SettingName<SettingType::kInteger, true> name) const {
    return IfSet<std::int64_t>(name);
  }
  std::optional<std::uint64_t> BytesIfSet(SettingName<SettingType::kBytes, true> name) const {
    const auto value = IfSet<ByteCount>(name);
    return value ? std::optional(value->bytes) : std::nullopt;
  }
  std::optional<std::string> StringIfSet(SettingName<SettingType::kString, true> name) const {
    return IfSet<std::string>(name);
  }
  std::optional<std::filesystem::path> PathIfSet(SettingName<SettingType::kPath, true> name) const {
    return IfSet<std::string>(name);
  }

 private:
  friend class SettingsLoader;
  Settings() = default;
  template <typename T>
  const T& Get(auto name) const {
    return *std::get_if<T>(&entries_[name.index()].value);
  }
  template <typename T>
  std::optional<T> IfSet(auto name) const {
    const T* value = std::get_if<T>(&entries_[name.index()].value);
    return value != nullptr ? std::optional<T>(*value) : std::nullopt;
  }

  std::array<Entry, kSettingCount> entries_;
  std::vector<Problem> problems_;
  std::vector<std::string> warnings_;
};

}  // namespace gptoss
