#include "base/utf8.h"

namespace gptoss {

Utf8Step NextUtf8(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  using Kind = Utf8Step::Kind;
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {Kind::kValid, 1, lead};
  std::uint8_t need = 0;
  unsigned char low = 0x80, high = 0xBF;  // range of the second byte
  char32_t code_point = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    need = 2, code_point = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    need = 3, code_point = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    need = 4, code_point = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {Kind::kInvalid, 1, kReplacementCharacter};
  }
  for (std::uint8_t i = 1; i < need; ++i) {
    if (i >= bytes.size()) return {Kind::kIncomplete, i, kReplacementCharacter};
    if (byte(i) < low || byte(i) > high) return {Kind::kInvalid, i, kReplacementCharacter};
    code_point = (code_point << 6) | (byte(i) & 0x3F);
    low = 0x80, high = 0xBF;
  }
  return {Kind::kValid, need, code_point};
}

bool IsValidUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Step step = NextUtf8(bytes);
    if (step.kind != Utf8Step::Kind::kValid) return false;
    bytes.remove_prefix(step.length);
  }
  return true;
}

std::string ReplaceInvalidUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Step step = NextUtf8(bytes);
    if (step.kind == Utf8Step::Kind::kValid) {
      out.append(bytes.substr(0, step.length));
    } else {
      AppendUtf8(kReplacementCharacter, out);
    }
    bytes.remove_prefix(step.length);
  }
  return out;
}

void AppendUtf8(char32_t c, std::string& out) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6)), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12)), put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18)), put(0x80 | ((c >> 12) & 0x3F)), put(0x80 | ((c >> 6) & 0x3F)),
        put(0x80 | (c & 0x3F));
  }
}

}  // namespace gptoss
