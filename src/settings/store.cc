#include "settings/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/text.h"
#include "settings/declarations.h"
#include "settings/toml_file.h"
#include "settings/value.h"

namespace gptoss {
namespace {

// Others hold the lock for milliseconds.
constexpr std::chrono::seconds kPatience{10};
constexpr std::string_view kNewFile =
    "# Settings of gptoss. 'gptoss config list' shows all of them, with their defaults and ranges.\n";

std::size_t LineBegin(std::string_view text, std::size_t at) {
  const std::size_t newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  return newline == std::string_view::npos ? 0 : newline + 1;
}

// Past the newline.
std::size_t LineEnd(std::string_view text, std::size_t at) {
  const std::size_t newline = text.find('\n', at);
  return newline == std::string_view::npos ? text.size() : newline + 1;
}

std::string_view NewlineOf(std::string_view text) {
  const std::size_t first = text.find('\n');
  return first != std::string_view::npos && first > 0 && text[first - 1] == '\r' ? "\r\n" : "\n";
}

// Positions after lines that TOML reads as "[section]", however the name is quoted. A line of some longer
// text may be among them.
std::vector<std::size_t> AfterHeaders(std::string_view text, std::string_view section) {
  std::vector<std::size_t> found;
  for (std::size_t at = 0; at < text.size(); at = LineEnd(text, at)) {
    const std::string_view line = text.substr(at, LineEnd(text, at) - at);
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos || line[first] != '[') continue;
    std::vector<TomlSection> sections;
    if (ParseToml(line, "", &sections) && sections.size() == 1 && sections.front().name == section)
      found.push_back(LineEnd(text, at));
  }
  return found;
}

// Position of the brace that closes the inline table `section`, and whether it holds anything; nullopt: there
// is none. Only a value of one line is looked at, up to its last brace outside of a comment: again the check
// of the result tells whether that was it.
struct ClosingBrace {
  std::size_t at;
  bool empty;
};
std::optional<ClosingBrace> InlineTable(std::string_view text, const TomlEntries& entries,
                                        std::string_view section) {
  std::vector<TomlSection> empty;
  if (!ParseToml(text, "", &empty)) return std::nullopt;
  const auto found = std::ranges::find(empty, section, &TomlSection::name);
  if (found != empty.end()) {
    std::size_t at = 0;
    for (std::size_t line = 1; line < found->line; ++line) at = LineEnd(text, at);
    const std::size_t brace = text.find('}', at);
    if (brace >= LineEnd(text, at)) return std::nullopt;
    return ClosingBrace{brace, true};
  }
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (!entry->in_inline_table || !entry->name.starts_with(fmt::format("{}.", section))) continue;
    const std::size_t brace = text.find('}', entry->range.end);
    if (brace >= LineEnd(text, entry->range.end)) return std::nullopt;
    return ClosingBrace{brace, false};
  }
  return std::nullopt;
}

// `line` as a line of its own at `at`, which is the start of a line or the end of the text.
std::string WithLine(std::string_view text, std::size_t at, const std::string& line) {
  const std::string_view newline = NewlineOf(text);
  std::string out(text.substr(0, at));
  if (!out.empty() && out.back() != '\n') out += newline;
  return out.append(line).append(newline).append(text.substr(at));
}

// The last key that stands in the same section and not in an inline table.
const TomlEntry* LastSibling(const TomlEntries& entries, std::string_view section) {
  const TomlEntry* last = nullptr;
  for (const TomlEntry& entry : entries) {
    const std::size_t dot = entry.name.find('.');
    const bool sibling = std::string_view(entry.name).substr(0, dot) == section &&
                         dot == entry.name.rfind('.') && dot != std::string::npos;
    if (sibling && !entry.in_inline_table) last = &entry;
  }
  return last;
}

const TomlEntry* Find(const TomlEntries& entries, std::string_view name) {
  const auto found = std::ranges::find(entries, name, &TomlEntry::name);
  return found == entries.end() ? nullptr : &*found;
}

std::string WithSetting(std::string_view text, const TomlEntries& entries, std::string_view name,
                        const std::string& value) {
  if (const TomlEntry* old = Find(entries, name)) {
    return std::string(text.substr(0, old->range.begin)) + value + std::string(text.substr(old->range.end));
  }
  const std::size_t dot = name.find('.');
  const std::string_view section = name.substr(0, dot), key = name.substr(dot + 1);
  if (const TomlEntry* sibling = LastSibling(entries, section)) {
    // What stands before the sibling's key (blanks, or "section.") stands before ours too.
    const std::size_t begin = LineBegin(text, sibling->key_begin);
    const std::string_view before = text.substr(begin, sibling->key_begin - begin);
    return WithLine(text, LineEnd(text, sibling->range.end), fmt::format("{}{} = {}", before, key, value));
  }
  const std::string line = fmt::format("{} = {}", key, value);
  if (const auto brace = InlineTable(text, entries, section)) {
    std::string_view before = text.substr(0, brace->at);
    while (before.ends_with(' ') || before.ends_with('\t')) before.remove_suffix(1);
    return fmt::format("{}{}{} {}", before, brace->empty ? " " : ", ", line, text.substr(brace->at));
  }
  for (const std::size_t at : AfterHeaders(text, section)) {
    std::string changed = WithLine(text, at, line);
    if (const auto after = ParseToml(changed, ""); after && Find(*after, name) != nullptr) return changed;
  }
  std::string out(text);
  if (out.empty()) out = kNewFile;
  for (const std::string& added : {std::string(), fmt::format("[{}]", section), line})
    out = WithLine(out, out.size(), added);
  return out;
}

std::string WithoutSetting(std::string_view text, const TomlEntry& entry) {
  return std::string(text.substr(0, LineBegin(text, entry.key_begin))) +
         std::string(text.substr(LineEnd(text, entry.range.end)));
}

bool Same(const TomlValue& a, const TomlValue& b) {
  const auto *x = std::get_if<double>(&a), *y = std::get_if<double>(&b);
  if (x != nullptr && y != nullptr && std::isnan(*x) && std::isnan(*y)) return true;
  return a == b;
}

// The new text says about everything else what the old one said, and about `name` that it is there, or not.
bool ChangedOnly(const TomlEntries& before, const TomlEntries& after, std::string_view name, bool present) {
  std::map<std::string_view, const TomlValue*> old_values;
  for (const TomlEntry& entry : before)
    if (entry.name != name) old_values[entry.name] = &entry.value;
  std::size_t others = 0;
  for (const TomlEntry& entry : after) {
    if (entry.name == name) continue;
    const auto old = old_values.find(entry.name);
    if (old == old_values.end() || !Same(*old->second, entry.value)) return false;
    ++others;
  }
  return others == old_values.size() && (Find(after, name) != nullptr) == present;
}

// What a link leads to, also where nothing is there yet: a link into a folder of dotfiles stays a link.
Result<std::filesystem::path> TargetOf(const std::filesystem::path& path) {
  constexpr int kMostLinks = 40;  // as the system
  std::filesystem::path file = path;
  std::error_code failed;
  for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(file, failed)); ++links) {
    const std::filesystem::path target = std::filesystem::read_symlink(file, failed);
    if (failed || links == kMostLinks)
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} is a link that leads nowhere; remove it", path.string()));
    file = file.parent_path() / target;  // an absolute target replaces all of it
  }
  const std::filesystem::path canonical = std::filesystem::weakly_canonical(file, failed);
  return failed ? file : canonical;
}

// Reads, changes and writes under the lock. `change` gets the text and its entries and returns the new text,
// or nullopt when there is nothing to do.
using Change = std::function<std::optional<std::string>(std::string_view, const TomlEntries&)>;
Result<bool> ChangeFile(const std::filesystem::path& path, std::string_view name, bool present,
                        const Change& change) {
  GPTOSS_TRY(const std::filesystem::path file, TargetOf(path));
  if (file.has_parent_path()) GPTOSS_CHECK_OK(CreatePrivateFolders(file.parent_path()));
  GPTOSS_TRY(const FileLock lock,
             FileLock::Acquire(file.string() + ".lock", FileLock::Kind::kExclusive, {}, kPatience));
  GPTOSS_TRY(const std::optional<std::string> read, ReadTomlFile(file));
  const std::string text = read.value_or("");
  GPTOSS_TRY(const TomlEntries before, ParseConfiguration(text, file.string()));
  const std::optional<std::string> changed = change(text, before);
  if (!changed) return false;
  const auto after = ParseToml(*changed, file.string());
  if (!after || !ChangedOnly(before, *after, name, present))
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("{}: {} stands where no line of its own can be changed (as in an inline table of several "
                    "keys); change it with an editor, or make it a section [{}]",
                    file.string(), name, name.substr(0, name.find('.'))));
  GPTOSS_CHECK_OK(WriteFileAtomic(file, *changed));
  return true;
}

Result<const Declaration*> Declared(std::string_view name) {
  if (const Declaration* declaration = FindDeclaration(name)) return declaration;
  const std::string_view nearest = NearestSetting(name);
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("there is no setting '{}'{}", name,
                          nearest.empty() ? "; see 'gptoss config list'"
                                          : fmt::format("; did you mean {}?", nearest)));
}

// "~/" is kept as it is, for homes that move.
Result<SettingValue> ValueToStore(const Declaration& declaration, std::string_view text) {
  GPTOSS_TRY(SettingValue value, ParseSetting(declaration, text));
  auto* path = std::get_if<std::string>(&value);
  if (declaration.type != SettingType::kPath || path == nullptr) return value;
  *path = Trimmed(text, kLineBlanks);
  return value;
}

}  // namespace

Status WriteSetting(const std::filesystem::path& file, std::string_view name, std::string_view text) {
  GPTOSS_TRY(const Declaration* declaration, Declared(name));
  GPTOSS_TRY(const SettingValue value, ValueToStore(*declaration, text));
  const std::string written = FormatToml(value);
  const auto changed = ChangeFile(file, name, true, [&](std::string_view old, const TomlEntries& entries) {
    return WithSetting(old, entries, name, written);
  });
  if (!changed) return std::unexpected(changed.error());
  return {};
}

Result<bool> RemoveSetting(const std::filesystem::path& file, std::string_view name) {
  // Not only declared names: a key that is unknown is one more reason to remove it.
  if (const auto text = ReadTomlFile(file); text && !*text) {
    GPTOSS_TRY([[maybe_unused]] const Declaration* declaration, Declared(name));
    return false;
  }
  bool known = true;
  auto removed = ChangeFile(
      file, name, false, [&](std::string_view old, const TomlEntries& entries) -> std::optional<std::string> {
        const TomlEntry* entry = Find(entries, name);
        known = entry != nullptr;
        if (entry == nullptr) return std::nullopt;
        return WithoutSetting(old, *entry);
      });
  if (removed && !known) {
    GPTOSS_TRY([[maybe_unused]] const Declaration* declaration, Declared(name));
  }
  return removed;
}

}  // namespace gptoss
