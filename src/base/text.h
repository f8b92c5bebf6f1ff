// Small questions about text that several rooms ask. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gptoss {

inline constexpr std::string_view kBlanks = " \t\r\n\v\f";
inline constexpr std::string_view kLineBlanks = " \t";  // where the end of a line is no blank but a mistake

// Nothing in it, or only `blanks`.
bool IsBlank(std::string_view text, std::string_view blanks = kBlanks);
// Without `blanks` at both ends; a view into `text`.
std::string_view Trimmed(std::string_view text, std::string_view blanks = kBlanks);
// What somebody wrote, for a message: at most `max_bytes` of it, cut at a character ("…" tells that there was
// more), valid UTF-8, control characters as blanks.
inline constexpr std::size_t kMessageBytes = 200;  // of what another program says
std::string Excerpt(std::string_view text, std::size_t max_bytes = 60);

}  // namespace gptoss
