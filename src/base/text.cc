#include "base/text.h"

#include <algorithm>

#include "base/utf8.h"

namespace gptoss {

bool IsBlank(std::string_view text, std::string_view blanks) {
  return text.find_first_not_of(blanks) == std::string_view::npos;
}

std::string_view Trimmed(std::string_view text, std::string_view blanks) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string Excerpt(std::string_view text, std::size_t max_bytes) {
  const auto inside = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U; };
  std::size_t end = std::min(max_bytes, text.size());
  if (end < text.size()) {
    std::size_t cut = end;
    while (cut > 0 && end - cut < 3 && inside(cut)) --cut;
    if (!inside(cut)) end = cut;
  }
  std::string out = ReplaceInvalidUtf8(text.substr(0, end));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text.size() > max_bytes ? out + "…" : out;
}

}  // namespace gptoss
