// Any bytes as a duration, a size, a value of every setting, a configuration file and a change of one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "settings/declarations.h"
#include "settings/toml_file.h"
#include "settings/units.h"
#include "settings/value.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gptoss;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto duration = ParseDuration(text))
    Require(ParseDuration(FormatDuration(*duration)) == *duration);
  if (const auto bytes = ParseBytes(text)) Require(ParseBytes(FormatBytes(*bytes)) == *bytes);
  for (const Declaration& declaration : kDeclarations) {
    const auto value = ParseSetting(declaration, text);
    if (!value) continue;
    Require(CheckSetting(declaration, *value).has_value());
    Require(ParseSetting(declaration, FormatSetting(*value)) == *value);
    if (std::holds_alternative<Unset>(*value)) continue;
    // What is stored is read again, as one key.
    const auto stored = ParseToml(std::string(declaration.name) + " = " + FormatToml(*value), "fuzz");
    Require(stored.has_value() && stored->size() == 1 && stored->front().name == declaration.name);
  }
  const auto entries = ParseToml(text, "fuzz");
  if (!entries) return 0;
  for (const TomlEntry& entry : *entries) {
    Require(entry.range.begin <= entry.range.end && entry.range.end <= size && entry.key_begin <= size);
    DescribeToml(entry.value);
    NearestSetting(entry.name);
  }
  return 0;
}
