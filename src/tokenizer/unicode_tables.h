// Character classes of the o200k split pattern, Unicode 16, in two stages.
#pragma once

#include <cstdint>

namespace gptoss::tokenizer_internal {

// Bits of a class. A class byte also has 0x40 set, so that the table is a printable string.
inline constexpr unsigned char kLetter = 1;    // \p{L}
inline constexpr unsigned char kNumber = 2;    // \p{N}
inline constexpr unsigned char kUpperish = 4;  // Lu Lt Lm Lo M
inline constexpr unsigned char kLowerish = 8;  // Ll Lm Lo M
inline constexpr unsigned char kSpace = 16;    // White_Space

extern const std::uint16_t kClassBlocks[];
extern const char kClassTable[];
inline constexpr char32_t kClassLimit = 0x32400;

inline unsigned char ClassOf(char32_t c) {
  if (c < kClassLimit) {
    return static_cast<unsigned char>(kClassTable[(kClassBlocks[c >> 6] << 6) | (c & 63)]);
  }
  return c >= 0xE0100 && c <= 0xE01EF ? kUpperish | kLowerish : 0;  // variation selectors
}

}  // namespace gptoss::tokenizer_internal
