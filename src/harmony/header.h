// What stands between <|start|> and <|message|>, made sense of. The recovery policy of docs/harmony.md lives
// here.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gptoss::harmony {

// The text of a header, cut at its control tokens.
struct HeaderParts {
  struct Part {
    enum class Kind { kRole, kChannel, kConstrain } kind;
    std::string text;  // what follows the control token; bytes as sampled
  };
  std::vector<Part> parts;

  // Nothing was read but the role that generation starts with.
  bool Empty() const;
};

struct Header {
  std::string role = "assistant";
  std::optional<std::string> name, channel, recipient, content_type;
  std::string leftover;  // text that belongs to no field; the content, if <|message|> never came
};

// `preset_role`: the role that the prompt already wrote; empty: the header names it itself. `has_message`:
// the header was ended by <|message|>; else its leftover words are content and nothing to complain about.
// Repairs go to `flags`.
Header ParseHeader(const HeaderParts& parts, std::string_view preset_role, bool has_message,
                   std::set<std::string>& flags);

}  // namespace gptoss::harmony
