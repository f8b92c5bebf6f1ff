// The rules of .gitignore files: which paths git would not track.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gptoss::agents {

// One file's rules, for paths relative to its folder ("src/a.cc"). Immutable after parsing.
class IgnoreRules {
 public:
  static IgnoreRules Parse(std::string_view text);

  enum class Verdict { kNothing, kIgnored, kKept };  // kKept: a rule with "!" says so
  // The last rule that matches decides.
  Verdict Judge(std::string_view path, bool is_folder) const;

 private:
  struct Rule {
    std::string pattern;
    bool negated = false, folders_only = false, anchored = false;
  };
  std::vector<Rule> rules_;
};

// "*", "?", "[a-z]", and "**" between slashes. Takes time that is bounded by both lengths.
bool GlobMatches(std::string_view pattern, std::string_view path);

}  // namespace gptoss::agents
