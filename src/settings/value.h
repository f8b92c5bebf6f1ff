// One value of a setting: text in, checked value, text out.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.h"
#include "settings/declarations.h"
#include "settings/units.h"

namespace gptoss {

struct Unset {
  friend auto operator<=>(Unset, Unset) = default;
};
struct ByteCount {
  std::uint64_t bytes = 0;
  friend auto operator<=>(const ByteCount&, const ByteCount&) = default;
};

// Unset only for settings without a default. kString, kEnum and kPath are std::string.
using SettingValue = std::variant<Unset, bool, std::int64_t, double, ByteCount, Duration, std::string>;

// kInvalidArgument: "memory.idle_unload is 1s to 365d, or never; not 'soon'". "none" and "" unset a setting
// that has no default. kPath: "~/" becomes the home folder; relative paths are refused.
Result<SettingValue> ParseSetting(const Declaration& declaration, std::string_view text);
// As a user would write it; "none" for Unset. ParseSetting reads it as the same value.
std::string FormatSetting(const SettingValue& value);
// The same as TOML: quoted where TOML wants quotes. Not for Unset.
std::string FormatToml(const SettingValue& value);
// Checks a value that came with a type (from TOML) against type and range of the declaration.
Status CheckSetting(const Declaration& declaration, const SettingValue& value);

}  // namespace gptoss
