// TOML files as flat lists of values with their places. The only door to the TOML library; internal to this
// folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace gptoss {

// A value that this program has no use for: a date, a table, a mixed array. `kind` is for messages.
struct OtherToml {
  std::string_view kind;
  friend bool operator==(const OtherToml&, const OtherToml&) = default;
};
using TomlValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>, OtherToml>;

// Byte offsets into the text; `end` is one past the last byte.
struct TomlRange {
  std::size_t begin = 0, end = 0;
};

struct TomlEntry {
  std::string name;  // "memory.floor": the path of keys; a key that is no plain word stands in quotes
  TomlValue value;
  std::size_t line = 0;       // of the key, from 1
  std::size_t key_begin = 0;  // byte offset of the key's last part
  TomlRange range;            // of the value
  bool in_inline_table = false;
};
// In the order of the file. Empty sections are not listed, others are by what they hold.
using TomlEntries = std::vector<TomlEntry>;
struct TomlSection {
  std::string name;
  std::size_t line = 0;  // from 1
};

// `empty`: gets the sections and inline tables that hold nothing. Errors: kInvalidArgument "FILE:LINE: what
// is wrong; what to do". Any bytes are survived.
Result<TomlEntries> ParseToml(std::string_view text, std::string_view file,
                              std::vector<TomlSection>* empty = nullptr);
// ParseToml for a file of settings: a section of theirs that is no table (`memory = 3`, `[[memory]]`) is an
// error of the same form.
Result<TomlEntries> ParseConfiguration(std::string_view text, std::string_view file);
// nullopt: no such file. Errors: kInvalidArgument for what is no file or too large a one; those of the
// system. Each says what to do.
Result<std::optional<std::string>> ReadTomlFile(const std::filesystem::path& file);
// The value as a message shows it: `"text"`, `3`, `a date`.
std::string DescribeToml(const TomlValue& value);

}  // namespace gptoss
