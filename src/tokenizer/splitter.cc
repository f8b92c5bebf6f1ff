#include "tokenizer/splitter.h"

#include <array>

#include "tokenizer/unicode_tables.h"

namespace gptoss::tokenizer_internal {

const std::string_view kO200kPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::array<unsigned char, 128> kAsciiClass = [] {
  std::array<unsigned char, 128> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = kNumber;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = kLetter | kUpperish;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = kLetter | kLowerish;
  for (int c = '\t'; c <= '\r'; ++c) table[c] = kSpace;
  table[' '] = kSpace;
  return table;
}();

struct Character {
  unsigned char class_bits;
  std::size_t end;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::size_t End(std::size_t begin) const {
    const Character first = At(begin);
    const bool may_prefix = !(first.class_bits & (kLetter | kNumber)) && !IsNewline(begin);
    if (const std::size_t end = Word(begin, first.end, may_prefix)) return end;
    if (first.class_bits & kNumber) return Number(begin);
    if (const std::size_t end = Symbols(begin)) return end;
    return Whitespace(begin);
  }

 private:
  Character At(std::size_t i) const {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text_[k]); };
    const unsigned char lead = byte(i);
    if (lead < 0x80) return {kAsciiClass[lead], i + 1};
    char32_t c = 0;
    std::size_t length = 2;
    if (lead < 0xE0) {
      c = ((lead & 0x1FU) << 6) | (byte(i + 1) & 0x3FU);
    } else if (lead < 0xF0) {
      c = ((lead & 0x0FU) << 12) | ((byte(i + 1) & 0x3FU) << 6) | (byte(i + 2) & 0x3FU);
      length = 3;
    } else {
      c = ((lead & 0x07U) << 18) | ((byte(i + 1) & 0x3FU) << 12) | ((byte(i + 2) & 0x3FU) << 6) |
          (byte(i + 3) & 0x3FU);
      length = 4;
    }
    return {ClassOf(c), i + length};
  }
  bool IsNewline(std::size_t i) const { return text_[i] == '\r' || text_[i] == '\n'; }

  // End of the run of characters from `i` that have one of `bits`.
  std::size_t RunEnd(std::size_t i, unsigned char bits) const {
    while (i < text_.size()) {
      const Character c = At(i);
      if (!(c.class_bits & bits)) break;
      i = c.end;
    }
    return i;
  }

  // The first two alternatives: [prefix] U* W+ suffix?, else [prefix] U+ W* suffix?. 0: neither matches.
  std::size_t Word(std::size_t begin, std::size_t after_first, bool may_prefix) const {
    std::size_t only_upper = 0;
    if (may_prefix) {
      const Letters letters = ScanLetters(after_first);
      if (letters.with_lower) return Suffix(letters.with_lower);
      if (letters.upper_end > after_first) only_upper = letters.upper_end;
    }
    const Letters letters = ScanLetters(begin);
    if (letters.with_lower) return Suffix(letters.with_lower);
    if (only_upper) return Suffix(only_upper);
    return letters.upper_end > begin ? Suffix(letters.upper_end) : 0;
  }

  struct Letters {
    std::size_t upper_end;   // end of the greedy U*
    std::size_t with_lower;  // where U* W+ ends after backtracking; 0: no match
  };
  Letters ScanLetters(std::size_t begin) const {
    std::size_t i = begin, last_both = 0;
    while (i < text_.size()) {
      const Character c = At(i);
      if (!(c.class_bits & kUpperish)) break;
      i = c.end;
      if (c.class_bits & kLowerish) last_both = i;
    }
    const std::size_t lower_end = RunEnd(i, kLowerish);
    return {i, lower_end > i ? lower_end : last_both};
  }

  // (?i:'s|'t|'re|'ve|'m|'ll|'d)? at `i`. Case folding is Unicode's: U+017F (long s) folds to s.
  std::size_t Suffix(std::size_t i) const {
    if (i + 1 >= text_.size() || text_[i] != '\'') return i;
    const auto lower = [&](std::size_t k) {
      return k < text_.size() ? static_cast<char>(text_[k] | 0x20) : '\0';
    };
    const char first = lower(i + 1), second = lower(i + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return i + 2;
    if ((first == 'r' || first == 'v') && second == 'e') return i + 3;
    if (first == 'l' && second == 'l') return i + 3;
    return text_.substr(i + 1, 2) == "\xC5\xBF" ? i + 3 : i;
  }

  // \p{N}{1,3}
  std::size_t Number(std::size_t i) const {
    for (int count = 0; count < 3 && i < text_.size(); ++count) {
      const Character c = At(i);
      if (!(c.class_bits & kNumber)) break;
      i = c.end;
    }
    return i;
  }

  // ` ?[^\s\p{L}\p{N}]+[\r\n/]*`. 0: no match.
  std::size_t Symbols(std::size_t begin) const {
    const std::size_t start = text_[begin] == ' ' ? begin + 1 : begin;
    std::size_t i = start;
    while (i < text_.size()) {
      const Character c = At(i);
      if (c.class_bits & (kSpace | kLetter | kNumber)) break;
      i = c.end;
    }
    if (i == start) return 0;
    while (i < text_.size() && (IsNewline(i) || text_[i] == '/')) ++i;
    return i;
  }

  // `\s*[\r\n]+|\s+(?!\S)|\s+`
  std::size_t Whitespace(std::size_t begin) const {
    std::size_t i = begin, last_begin = begin, after_newline = 0;
    while (i < text_.size()) {
      const Character c = At(i);
      if (!(c.class_bits & kSpace)) break;
      if (IsNewline(i)) after_newline = c.end;
      last_begin = i;
      i = c.end;
    }
    if (after_newline) return after_newline;
    if (i == text_.size() || last_begin == begin) return i;
    return last_begin;
  }

  std::string_view text_;
};

}  // namespace

std::size_t PieceEnd(std::string_view text, std::size_t begin) { return Scanner(text).End(begin); }

}  // namespace gptoss::tokenizer_internal
