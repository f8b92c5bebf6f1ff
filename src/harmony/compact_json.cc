#include "harmony/compact_json.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace gptoss::harmony {
namespace {

void AppendString(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void Append(const Json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, item] : value.items()) {
      if (!first) out += ',';
      first = false;
      AppendString(key, out);
      out += ':';
      Append(item, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const Json& item : value) {
      if (!first) out += ',';
      first = false;
      Append(item, out);
    }
    out += ']';
  } else if (value.is_string()) {
    AppendString(value.get_ref<const std::string&>(), out);
  } else if (value.is_number_float()) {
    out += SpellDouble(value.get<double>());
  } else {
    out += value.dump();  // null, booleans and integers have one spelling
  }
}

}  // namespace

std::string SpellDouble(double value) {
  if (!std::isfinite(value)) return "null";
  std::string out = std::signbit(value) ? "-" : "";
  if (value == 0) return out + "0.0";
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(value),
                                 std::chars_format::scientific)
                       .ptr;
  const std::string_view spelled(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const std::size_t e = spelled.find('e');
  std::string digits;
  for (const char c : spelled.substr(0, e)) {
    if (c != '.') digits += c;
  }
  int exponent = 0;  // of the first digit
  std::string_view power = spelled.substr(e + 1);
  if (power.starts_with('+')) power.remove_prefix(1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);

  const int length = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before the decimal point
  if (point >= length && point <= 16) {
    return out + digits + std::string(static_cast<std::size_t>(point - length), '0') + ".0";
  }
  if (point > 0 && point <= 16) return out + digits.insert(static_cast<std::size_t>(point), ".");
  if (point > -5 && point <= 0)
    return out + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  if (length > 1) digits.insert(1, ".");
  return out + digits + "e" + std::to_string(exponent);
}

std::string CompactJson(const Json& value) {
  std::string out;
  Append(value, out);
  return out;
}

}  // namespace gptoss::harmony
