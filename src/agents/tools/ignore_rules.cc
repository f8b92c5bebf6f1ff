#include "agents/tools/ignore_rules.h"

#include <cstdint>

namespace gptoss::agents {
namespace {

// [abc], [a-z], [!x]. `at` stands behind the bracket and is moved behind the closing one.
bool ClassMatches(std::string_view pattern, std::size_t& at, char c, bool& well_formed) {
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false, first = true;
  well_formed = false;
  while (at < pattern.size()) {
    if (pattern[at] == ']' && !first) {
      ++at;
      well_formed = true;
      return found != negated && c != '/';
    }
    first = false;
    char low = pattern[at++];
    if (low == '\\' && at < pattern.size()) low = pattern[at++];
    char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = pattern[at + 1];
      at += 2;
    }
    if (c >= low && c <= high) found = true;
  }
  return false;
}

// One element at `at` against one character; `at` is moved behind the element.
bool ElementMatches(std::string_view pattern, std::size_t& at, char c) {
  const char p = pattern[at++];
  if (p == '?') return c != '/';
  if (p == '[') {
    const std::size_t start = at;
    bool well_formed = false;
    const bool matches = ClassMatches(pattern, at, c, well_formed);
    if (well_formed) return matches;
    at = start;
    return c == '[';
  }
  if (p == '\\' && at < pattern.size()) return c == pattern[at++];
  return p == c;
}

// Which positions of the pattern can be reached: a set, so that no pattern takes exponential time.
class Positions {
 public:
  Positions(std::string_view pattern, std::size_t count) : pattern_(pattern), at_(count, 0) {}
  bool Has(std::size_t position) const { return at_[position] != 0; }
  // Adds a position and those that are reached from it without a character.
  void Add(std::size_t position) {
    while (at_[position] == 0) {
      at_[position] = 1;
      if (position >= pattern_.size() || pattern_[position] != '*') return;
      std::size_t next = position;
      while (next < pattern_.size() && pattern_[next] == '*') ++next;
      // "**/" may be nothing at all.
      if (next - position >= 2 && next < pattern_.size() && pattern_[next] == '/' &&
          (position == 0 || pattern_[position - 1] == '/'))
        Add(next + 1);
      position = next;
    }
  }

 private:
  std::string_view pattern_;
  std::vector<std::uint8_t> at_;
};

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view path) {
  if (pattern.size() > 1024) return false;  // nobody writes that; it would only cost time
  Positions now(pattern, pattern.size() + 1);
  now.Add(0);
  for (const char c : path) {
    Positions next(pattern, pattern.size() + 1);
    for (std::size_t position = 0; position < pattern.size(); ++position) {
      if (!now.Has(position)) continue;
      if (pattern[position] == '*') {
        const bool deep = position + 1 < pattern.size() && pattern[position + 1] == '*';
        if (deep || c != '/') next.Add(position);
        continue;
      }
      std::size_t after = position;
      if (ElementMatches(pattern, after, c)) next.Add(after);
    }
    now = next;
  }
  return now.Has(pattern.size());
}

IgnoreRules IgnoreRules::Parse(std::string_view text) {
  IgnoreRules rules;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    Rule rule;
    if (line.front() == '!') {
      rule.negated = true;
      line.remove_prefix(1);
    }
    if (line.ends_with('/')) {
      rule.folders_only = true;
      line.remove_suffix(1);
    }
    rule.anchored = line.find('/') != std::string_view::npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (line.empty()) continue;
    rule.pattern = line;
    rules.rules_.push_back(std::move(rule));
  }
  return rules;
}

IgnoreRules::Verdict IgnoreRules::Judge(std::string_view path, bool is_folder) const {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->folders_only && !is_folder) continue;
    if (GlobMatches(rule->pattern, rule->anchored ? path : name))
      return rule->negated ? Verdict::kKept : Verdict::kIgnored;
  }
  return Verdict::kNothing;
}

}  // namespace gptoss::agents
