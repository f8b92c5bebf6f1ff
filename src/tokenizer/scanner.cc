#include "tokenizer/scanner.h"

#include <cstdint>

#include "tokenizer/unicode_tables.h"

namespace gptoss {
namespace {

using tokenizer_internal::ClassOf;
using tokenizer_internal::kLetter;
using tokenizer_internal::kNumber;
using tokenizer_internal::kSpace;
constexpr std::uint8_t kUpper = tokenizer_internal::kUpperish, kLower = tokenizer_internal::kLowerish;

struct Char {
  std::uint8_t classes;
  std::uint8_t length;
  char byte;  // the first
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool End(std::size_t i) const { return i >= text_.size(); }
  Char At(std::size_t i) const {
    const auto b = [&](std::size_t k) { return static_cast<unsigned char>(text_[i + k]); };
    const char32_t lead = b(0);
    if (lead < 0x80) return {ClassOf(lead), 1, text_[i]};
    if (lead < 0xE0) return {ClassOf((lead & 0x1F) << 6 | (b(1) & 0x3Fu)), 2, text_[i]};
    if (lead < 0xF0)
      return {ClassOf((lead & 0x0F) << 12 | (b(1) & 0x3Fu) << 6 | (b(2) & 0x3Fu)), 3, text_[i]};
    return {ClassOf((lead & 0x07) << 18 | (b(1) & 0x3Fu) << 12 | (b(2) & 0x3Fu) << 6 | (b(3) & 0x3Fu)), 4,
            text_[i]};
  }
  // End of the run of characters that have one of `classes`.
  std::size_t Run(std::size_t i, std::uint8_t classes) const {
    while (!End(i)) {
      const Char c = At(i);
      if ((c.classes & classes) == 0) break;
      i += c.length;
    }
    return i;
  }
  // [U]*[W]+ from s, greedy with backtracking: end of the match, or s when there is none.
  std::size_t CapitalsThenLower(std::size_t s) const {
    std::size_t i = s, after_last_lower = s;
    while (!End(i)) {
      const Char c = At(i);
      if ((c.classes & kUpper) == 0) break;
      i += c.length;
      if ((c.classes & kLower) != 0) after_last_lower = i;
    }
    const std::size_t end = Run(i, kLower);
    return end > i ? end : after_last_lower;
  }
  // 's 't 're 've 'm 'll 'd in any case; ſ (U+017F) is an s to a case-insensitive match.
  std::size_t Contraction(std::size_t i) const {
    if (End(i) || text_[i] != '\'' || End(i + 1)) return i;
    const auto lower = [&](std::size_t k) {
      const char c = k < text_.size() ? text_[k] : '\0';
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char a = lower(i + 1), b = lower(i + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return i + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return i + 3;
    if (text_.substr(i + 1, 2) == "\xC5\xBF") return i + 3;
    return i;
  }

 private:
  std::string_view text_;
};

bool IsNewline(const Char& c) { return c.byte == '\r' || c.byte == '\n'; }

// The two alternatives for words; `begin` when neither matches.
std::size_t Word(const Scanner& text, std::size_t begin, const Char& first) {
  const bool prefix = !IsNewline(first) && (first.classes & (kLetter | kNumber)) == 0;
  const std::size_t starts[] = {prefix ? begin + first.length : begin, begin};
  for (const std::size_t s : starts) {
    if (const std::size_t end = text.CapitalsThenLower(s); end > s) return text.Contraction(end);
  }
  for (const std::size_t s : starts) {
    if (const std::size_t end = text.Run(s, kUpper); end > s) return text.Contraction(text.Run(end, kLower));
  }
  return begin;
}

std::size_t Numbers(const Scanner& text, std::size_t i) {
  for (int count = 0; count < 3 && !text.End(i); ++count) {
    const Char c = text.At(i);
    if ((c.classes & kNumber) == 0) break;
    i += c.length;
  }
  return i;
}

// " ?[^\s\p{L}\p{N}]+[\r\n/]*"; `begin` when it does not match.
std::size_t Symbols(const Scanner& text, std::size_t begin, const Char& first) {
  const auto symbol = [](const Char& c) { return (c.classes & (kSpace | kLetter | kNumber)) == 0; };
  std::size_t i = begin;
  if (first.byte == ' ') {
    if (text.End(begin + 1) || !symbol(text.At(begin + 1))) return begin;
    ++i;
  } else if (!symbol(first)) {
    return begin;
  }
  while (!text.End(i)) {
    const Char c = text.At(i);
    if (!symbol(c)) break;
    i += c.length;
  }
  while (!text.End(i)) {
    const Char c = text.At(i);
    if (!IsNewline(c) && c.byte != '/') break;
    ++i;
  }
  return i;
}

// "\s*[\r\n]+ | \s+(?!\S) | \s+"
std::size_t Blanks(const Scanner& text, std::size_t begin) {
  std::size_t i = begin, after_newline = begin, last = begin;
  while (!text.End(i)) {
    const Char c = text.At(i);
    if ((c.classes & kSpace) == 0) break;
    last = i;
    i += c.length;
    if (IsNewline(c)) after_newline = i;
  }
  if (after_newline > begin) return after_newline;
  if (text.End(i)) return i;
  return last > begin ? last : i;
}

}  // namespace

std::string_view O200kPattern() {
  return "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
         "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
         "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
}

std::size_t NextPiece(std::string_view bytes, std::size_t begin) {
  const Scanner text(bytes);
  const Char first = text.At(begin);
  if (const std::size_t end = Word(text, begin, first); end > begin) return end;
  if (const std::size_t end = Numbers(text, begin); end > begin) return end;
  if (const std::size_t end = Symbols(text, begin, first); end > begin) return end;
  return Blanks(text, begin);
}

}  // namespace gptoss
