#include "settings/toml_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>  // toml++ 3.3 uses its constants without including it

#include "base/file.h"
#include "base/utf8.h"

// Errors as values, here too. The library's assertions do not hold for every input ("[[[" fails one, and the
// code after it reports the error all the same), so they must not end the program.
#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

namespace gptoss {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 20;
// Dotted keys nest without bound in the library, whose clean-up recurses. No honest file has that many dots.
constexpr std::ptrdiff_t kMaxDots = 2000;
constexpr int kMaxDepth = 16;

std::string OneLine(std::string_view text) {
  std::string out = ReplaceInvalidUtf8(text.substr(0, 300));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  while (!out.empty() && (out.back() == '.' || out.back() == ' ')) out.pop_back();
  return out;
}

bool IsPlainKey(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// Line and column (both from 1, the column in characters) to byte offsets.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') starts_.push_back(i + 1);
  }
  std::size_t Offset(const toml::source_position& position) const {
    if (position.line == 0 || position.line > starts_.size()) return text_.size();
    std::size_t at = starts_[position.line - 1];
    for (toml::source_index column = 1; column < position.column && at < text_.size(); ++column)
      at += NextUtf8(text_.substr(at)).length;
    return at;
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

TomlValue ConvertArray(const toml::array& array) {
  std::vector<std::string> strings;
  for (const toml::node& item : array) {
    const auto* text = item.as_string();
    if (text == nullptr) return OtherToml{"an array of other things than strings"};
    strings.push_back(text->get());
  }
  return strings;
}

TomlValue Convert(const toml::node& node) {
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_array()) return ConvertArray(*value);
  return OtherToml{node.is_table() ? "a table" : "a date or time"};
}

void Flatten(const toml::table& table, const std::string& prefix, bool in_inline, int depth,
             const Places& places, TomlEntries& entries) {
  for (const auto& [key, node] : table) {
    const std::string name =
        prefix + (IsPlainKey(key.str()) ? std::string(key.str()) : fmt::format("\"{}\"", OneLine(key.str())));
    const toml::table* inner = node.as_table();
    if (inner != nullptr && depth < kMaxDepth) {
      Flatten(*inner, name + ".", in_inline || inner->is_inline(), depth + 1, places, entries);
      continue;
    }
    TomlEntry entry;
    entry.name = name;
    entry.value = Convert(node);
    entry.line = key.source().begin.line;
    entry.key_begin = places.Offset(key.source().begin);
    entry.range = {places.Offset(node.source().begin), places.Offset(node.source().end)};
    entry.in_inline_table = in_inline;
    entries.push_back(std::move(entry));
  }
}

bool HasTooManyDots(std::string_view text) {
  std::ptrdiff_t dots = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos && line[first] != '#') dots += std::ranges::count(line, '.');
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return dots > kMaxDots;
}

}  // namespace

Result<TomlEntries> ParseToml(std::string_view text, std::string_view file) {
  if (text.size() > kMaxBytes || HasTooManyDots(text))
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{} is no configuration of gptoss: too large or too deep; move it away", file));
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{}:{}: {}; correct this line, or move the file away to start anew", file,
                            error.source().begin.line, OneLine(error.description())));
  }
  TomlEntries entries;
  Flatten(parsed.table(), "", false, 0, Places(text), entries);
  std::ranges::stable_sort(entries, {}, &TomlEntry::key_begin);
  return entries;
}

Result<std::optional<std::string>> ReadTomlFile(const std::filesystem::path& file) {
  if (file.empty()) return std::optional<std::string>();
  auto text = ReadFile(file, kMaxBytes);
  if (text) return std::optional<std::string>(std::move(*text));
  if (text.error().code == ErrorCode::kNotFound) return std::optional<std::string>();
  return std::unexpected(std::move(text).error());
}

std::string DescribeToml(const TomlValue& value) {
  struct Visitor {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t n) const { return fmt::format("{}", n); }
    std::string operator()(double n) const { return fmt::format("{}", n); }
    std::string operator()(const std::string& s) const { return fmt::format("\"{}\"", OneLine(s)); }
    std::string operator()(const std::vector<std::string>&) const { return "an array"; }
    std::string operator()(const OtherToml& other) const { return std::string(other.kind); }
  };
  return std::visit(Visitor(), value);
}

}  // namespace gptoss
