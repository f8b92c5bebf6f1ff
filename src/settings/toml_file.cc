#include "settings/toml_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>  // toml++ 3.3 uses its constants without including it

#include "base/file.h"
#include "base/utf8.h"
#include "settings/declarations.h"

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
             const Places& places, TomlEntries& entries, std::vector<TomlSection>* empty) {
  for (const auto& [key, node] : table) {
    const std::string name =
        prefix + (IsPlainKey(key.str()) ? std::string(key.str()) : fmt::format("\"{}\"", OneLine(key.str())));
    const toml::table* inner = node.as_table();
    if (inner != nullptr && depth < kMaxDepth) {
      if (inner->empty() && empty != nullptr) empty->push_back({name, key.source().begin.line});
      Flatten(*inner, name + ".", in_inline || inner->is_inline(), depth + 1, places, entries, empty);
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

// Where the text has a character beyond ASCII outside of comments and strings (or in a string of several
// lines in double quotes): its line, else 0. TOML has none there, and toml++ 3.3 looks such characters up in
// a table that runs into undefined behaviour for some (U+FEF6). Reads like the library as far as the text is
// TOML; what comes after its first error does not matter.
std::size_t LineOfStrayCharacter(std::string_view text) {
  enum class In : std::uint8_t { kPlain, kComment, kBasic, kLiteral, kLongBasic, kLongLiteral };
  In state = In::kPlain;
  std::size_t line = 1;
  std::size_t i = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  const auto triple = [&](char quote) { return text.substr(i, 3) == std::string(3, quote); };
  for (; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_long = state == In::kLongBasic || state == In::kLongLiteral;
    if (static_cast<unsigned char>(c) >= 0x80 && (state == In::kPlain || state == In::kLongBasic))
      return line;
    if (c == '\n') {
      ++line;
      if (!is_long) state = In::kPlain;
    } else if (state == In::kPlain) {
      if (c == '#') state = In::kComment;
      if (c != '"' && c != '\'') continue;
      const bool opens_long = triple(c);
      if (opens_long) i += 2;
      if (c == '"') state = opens_long ? In::kLongBasic : In::kBasic;
      if (c == '\'') state = opens_long ? In::kLongLiteral : In::kLiteral;
    } else if (c == '\\' && (state == In::kBasic || state == In::kLongBasic)) {
      if (i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
    } else if ((c == '"' && state == In::kBasic) || (c == '\'' && state == In::kLiteral)) {
      state = In::kPlain;
    } else if (is_long && c == (state == In::kLongBasic ? '"' : '\'') && triple(c)) {
      i += 2;
      // Up to two more quotes belong to the string that ends here.
      for (int more = 0; more < 2 && i + 1 < text.size() && text[i + 1] == c; ++more) ++i;
      state = In::kPlain;
    }
  }
  return 0;
}

}  // namespace

Result<TomlEntries> ParseToml(std::string_view text, std::string_view file, std::vector<TomlSection>* empty) {
  if (text.size() > kMaxBytes || HasTooManyDots(text))
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no configuration of gptoss: too large or too deep; move it away", file));
  if (const std::size_t line = LineOfStrayCharacter(text); line > 0)
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{}:{}: a character that TOML has only in quotes and comments; correct this line, or move "
            "the file away to start anew",
            file, line));
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}:{}: {}; correct this line, or move the file away to start anew", file,
                            error.source().begin.line, OneLine(error.description())));
  }
  TomlEntries entries;
  Flatten(parsed.table(), "", false, 0, Places(text), entries, empty);
  std::ranges::sort(entries, {}, &TomlEntry::key_begin);
  return entries;
}

Result<TomlEntries> ParseConfiguration(std::string_view text, std::string_view file) {
  GPTOSS_TRY(TomlEntries entries, ParseToml(text, file));
  for (const TomlEntry& entry : entries)
    if (IsSection(entry.name))
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{0}:{1}: {2} is a section, written [{2}] on a line of its own; not {3}; correct "
                      "this line, or move the file away to start anew",
                      file, entry.line, entry.name, DescribeToml(entry.value)));
  return entries;
}

Result<std::optional<std::string>> ReadTomlFile(const std::filesystem::path& file) {
  if (file.empty()) return std::optional<std::string>();
  auto text = ReadFile(file, kMaxBytes);
  if (text) return std::optional<std::string>(std::move(*text));
  Error error = std::move(text).error();
  if (error.code == ErrorCode::kNotFound) return std::optional<std::string>();
  if (error.code == ErrorCode::kOutOfRange) error.code = ErrorCode::kInvalidArgument;
  if (error.code == ErrorCode::kInvalidArgument)
    error.message += "; move it away, or put a file of TOML in its place";
  if (error.code == ErrorCode::kPermissionDenied) error.message += "; make it readable (chmod u+r)";
  return std::unexpected(std::move(error));
}

std::string DescribeToml(const TomlValue& value) {
  struct Visitor {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t n) const { return fmt::format("{}", n); }
    std::string operator()(double n) const {
      const std::string text = fmt::format("{}", n);  // 8.0 is not 8
      return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
    }
    std::string operator()(const std::string& s) const { return fmt::format("\"{}\"", OneLine(s)); }
    std::string operator()(const std::vector<std::string>&) const { return "an array"; }
    std::string operator()(const OtherToml& other) const { return std::string(other.kind); }
  };
  return std::visit(Visitor(), value);
}

}  // namespace gptoss
