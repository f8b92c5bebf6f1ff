#include "settings/declarations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace gptoss {
namespace {

// Damerau-Levenshtein (optimal string alignment): insertions, deletions, replacements and swapped neighbours.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string Choice(std::string_view choices) {
  std::string out;
  for (std::size_t at = 0; at <= choices.size();) {
    const std::size_t bar = std::min(choices.find('|', at), choices.size());
    if (!out.empty()) out += bar == choices.size() ? " or " : ", ";
    out += choices.substr(at, bar - at);
    at = bar + 1;
  }
  return out;
}

std::string_view AnyOf(const Declaration& declaration) {
  switch (declaration.type) {
    case SettingType::kBool:
      return "true or false";
    case SettingType::kInteger:
      return "a whole number";
    case SettingType::kNumber:
      return "a number";
    case SettingType::kDuration:
      return "a length of time such as 10m";
    case SettingType::kBytes:
      return "a size such as 16GB";
    case SettingType::kPath:
      return "a path that is absolute or begins with ~/";
    case SettingType::kString:
    case SettingType::kEnum:
      break;
  }
  return "a text of one line";
}

std::string_view SectionOf(const Declaration& d) { return d.name.substr(0, d.name.find('.')); }

std::string VariableOf(std::string_view name) {
  std::string variable = "GPTOSS_";
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    variable += c == '.' ? '_' : lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return variable;
}

// No settings, but named like those of a section: what the hub room reads for tests and measurements, and
// what its tests read. A test looks for more of them in the sources.
constexpr std::array<std::string_view, 8> kOtherVariables = {
    "GPTOSS_HUB_RETRY_BASE_MS", "GPTOSS_HUB_PART_BYTES", "GPTOSS_HUB_CONNECTIONS", "GPTOSS_HUB_MIN_RATE",
    "GPTOSS_HUB_DISK_MARGIN",   "GPTOSS_HUB_ROUNDS",     "GPTOSS_HUB_KILLS",       "GPTOSS_HUB_SEED"};

}  // namespace

std::string_view SettingTypeName(SettingType type) {
  switch (type) {
    case SettingType::kBool:
      return "bool";
    case SettingType::kInteger:
      return "integer";
    case SettingType::kNumber:
      return "number";
    case SettingType::kString:
      return "string";
    case SettingType::kEnum:
      return "enum";
    case SettingType::kDuration:
      return "duration";
    case SettingType::kBytes:
      return "bytes";
    case SettingType::kPath:
      return "path";
  }
  return "string";
}

std::optional<std::size_t> FindSetting(std::string_view name) {
  const auto found = std::ranges::find(kDeclarations, name, &Declaration::name);
  if (found == kDeclarations.end()) return std::nullopt;
  return static_cast<std::size_t>(found - kDeclarations.begin());
}

const Declaration* FindDeclaration(std::string_view name) {
  const auto index = FindSetting(name);
  return index ? &kDeclarations[*index] : nullptr;
}

bool IsSection(std::string_view name) {
  return std::ranges::any_of(kDeclarations, [&](const Declaration& d) { return SectionOf(d) == name; });
}

std::string EnvironmentName(const Declaration& declaration) {
  if (!declaration.environment.empty()) return std::string(declaration.environment);
  return VariableOf(declaration.name);
}

std::string DescribeRange(const Declaration& d) {
  std::string range;
  if (!d.choices.empty()) {
    range = Choice(d.choices);
  } else if (!d.minimum.empty() && !d.maximum.empty()) {
    range = fmt::format("{} to {}", d.minimum, d.maximum);
  } else if (!d.minimum.empty()) {
    range = fmt::format("{} or more", d.minimum);
  } else {
    range = AnyOf(d);
  }
  if (d.may_be_never) range += ", or never";
  if (d.fallback.empty()) range += ", or none";
  return range;
}

std::string_view NearestName(std::string_view name, std::span<const std::string_view> candidates) {
  if (name.size() > 200) return {};  // nobody meant any of ours, and the distance costs time
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = EditDistance(name, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

std::string_view NearestSetting(std::string_view name) {
  std::vector<std::string_view> names, keys;
  for (const Declaration& d : kDeclarations) {
    names.push_back(d.name);
    keys.push_back(d.name.substr(d.name.find('.') + 1));
  }
  const std::string_view key = name.substr(name.rfind('.') + 1);
  // "idle_unload" or "engine.idle_unload": the key is right, its section is not.
  const auto same = std::ranges::find(keys, key);
  if (same != keys.end()) return names[static_cast<std::size_t>(same - keys.begin())];
  return NearestName(name, names);
}

std::string MisspeltVariable(std::string_view variable) {
  if (std::ranges::find(kOtherVariables, variable) != kOtherVariables.end()) return "";
  std::vector<std::string> meant, right;  // model.default is GPTOSS_MODEL, and GPTOSS_MODEL_DEFAULT to some
  bool like_a_section = false;
  for (const Declaration& d : kDeclarations) {
    right.push_back(EnvironmentName(d));
    if (variable == right.back()) return "";
    meant.push_back(VariableOf(d.name));
    like_a_section = like_a_section || variable.starts_with(VariableOf(SectionOf(d)) + "_");
  }
  if (!like_a_section) return "";
  const std::vector<std::string_view> candidates(meant.begin(), meant.end());
  const std::string_view nearest = NearestName(variable, candidates);
  const auto found = std::ranges::find(candidates, nearest);
  const std::string hint =
      found == candidates.end()
          ? "see 'gptoss config list'"
          : fmt::format("did you mean {}?", right[static_cast<std::size_t>(found - candidates.begin())]);
  return fmt::format("{}: no setting has this variable; {}", variable.substr(0, 200), hint);
}

}  // namespace gptoss
