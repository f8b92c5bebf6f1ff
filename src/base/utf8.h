// UTF-8 by the rules of Unicode 16, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gptoss {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// What stands at the start of `bytes` (not empty).
struct Utf8Step {
  enum class Kind : std::uint8_t {
    kValid,       // a whole character of `length` bytes
    kInvalid,     // a maximal subpart of `length` (1..3) bytes that no continuation can make valid
    kIncomplete,  // the input ends inside a character that is valid so far; `length` = what there is
  };
  Kind kind;
  std::uint8_t length;
  char32_t code_point;  // U+FFFD unless kValid
};
Utf8Step NextUtf8(std::string_view bytes);

bool IsValidUtf8(std::string_view bytes);
// Every maximal invalid subpart becomes U+FFFD; an incomplete end counts as one.
std::string ReplaceInvalidUtf8(std::string_view bytes);
void AppendUtf8(char32_t code_point, std::string& out);

}  // namespace gptoss
