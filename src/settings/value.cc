#include "settings/value.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <optional>

#include "base/text.h"
#include "base/utf8.h"
#include "settings/paths.h"

namespace gptoss {
namespace {

// What the range alone does not say about a text that was refused.
std::string_view HintFor(SettingType type, std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos) return "";
  const bool point = text.find('.') != std::string_view::npos;
  if (type == SettingType::kInteger && point) return " (it takes a whole number)";
  if (type == SettingType::kBytes && point) return " (a fraction wants a unit: 1.5GB)";
  if (type == SettingType::kDuration && text != "0") return " (it wants a unit: 10m)";
  return "";
}

std::unexpected<Error> Refused(const Declaration& declaration, std::string_view text) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is {}; not '{}'{}", declaration.name, DescribeRange(declaration), Excerpt(text),
                          HintFor(declaration.type, text)));
}

bool IsRooted(std::string_view path) { return path.starts_with('/') || path.starts_with("~/"); }

template <typename T>
std::optional<T> Number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// libc++ of macOS 13 has no from_chars for double; strtod follows the locale, which we never set.
template <>
std::optional<double> Number<double>(std::string_view text) {
  if (text.empty() || text.size() > 64) return std::nullopt;
  for (const char c : text)  // no "nan", "inf", "0x1p3"
    if (std::string_view("0123456789+-.eE").find(c) == std::string_view::npos) return std::nullopt;
  const std::string owned(text);
  char* end = nullptr;
  const double value = std::strtod(owned.c_str(), &end);
  if (end != owned.c_str() + owned.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool IsChoice(std::string_view choices, std::string_view text) {
  for (std::size_t at = 0; at <= choices.size();) {
    const std::size_t bar = std::min(choices.find('|', at), choices.size());
    if (choices.substr(at, bar - at) == text) return true;
    at = bar + 1;
  }
  return false;
}

bool IsOneLine(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return IsValidUtf8(text) && text.size() <= 4096;
}

// The value as its type alone has it; nullopt: not of the type.
std::optional<SettingValue> ParseType(const Declaration& declaration, std::string_view text) {
  switch (declaration.type) {
    case SettingType::kBool:
      if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
      if (text == "false" || text == "0" || text == "no" || text == "off") return false;
      return std::nullopt;
    case SettingType::kInteger:
      if (const auto value = Number<std::int64_t>(text)) return *value;
      return std::nullopt;
    case SettingType::kNumber:
      if (const auto value = Number<double>(text)) return *value;
      return std::nullopt;
    case SettingType::kDuration:
      if (const auto value = ParseDuration(text)) return *value;
      return std::nullopt;
    case SettingType::kBytes:
      if (const auto value = ParseBytes(text)) return ByteCount{*value};
      return std::nullopt;
    case SettingType::kPath:
      if (!IsRooted(text)) return std::nullopt;
      if (const auto path = ExpandHome(text)) return path->string();
      return std::nullopt;
    case SettingType::kString:
    case SettingType::kEnum:
      return std::string(text);
  }
  return std::nullopt;
}

// True when `limit` is a limit of the type of `value` and `value` is on the wrong side of it.
template <typename Compare>
bool Beyond(const Declaration& declaration, std::string_view limit, const SettingValue& value,
            Compare compare) {
  if (limit.empty()) return false;
  const auto bound = ParseType(declaration, limit);
  return bound && bound->index() == value.index() && compare(value, *bound);
}

// Which alternative of SettingValue belongs to a type.
std::size_t AlternativeOf(SettingType type) {
  switch (type) {
    case SettingType::kBool:
      return 1;
    case SettingType::kInteger:
      return 2;
    case SettingType::kNumber:
      return 3;
    case SettingType::kBytes:
      return 4;
    case SettingType::kDuration:
      return 5;
    case SettingType::kString:
    case SettingType::kEnum:
    case SettingType::kPath:
      return 6;
  }
  return 6;
}

std::string TomlString(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

Status CheckSetting(const Declaration& declaration, const SettingValue& value) {
  if (std::holds_alternative<Unset>(value)) {
    if (declaration.fallback.empty()) return {};
    return Refused(declaration, "none");
  }
  const std::string text = FormatSetting(value);
  if (const auto* number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number))
    return Refused(declaration, text);
  if (value.index() != AlternativeOf(declaration.type)) return Refused(declaration, text);
  if (!declaration.choices.empty() && !IsChoice(declaration.choices, text)) return Refused(declaration, text);
  const bool never = std::holds_alternative<Duration>(value) && std::get<Duration>(value).never;
  if (never) return declaration.may_be_never ? Status() : Refused(declaration, text);
  if (Beyond(declaration, declaration.minimum, value, std::less<>()) ||
      Beyond(declaration, declaration.maximum, value, std::greater<>()))
    return Refused(declaration, text);
  if (const auto* string = std::get_if<std::string>(&value); string != nullptr && !IsOneLine(*string))
    return Refused(declaration, text);
  if (declaration.type == SettingType::kPath && !text.starts_with('/')) return Refused(declaration, text);
  if (declaration.name == "hub.endpoint" && !text.starts_with("https://") && !text.starts_with("http://"))
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is an address that begins with https:// (or http://); not '{}'",
                            declaration.name, Excerpt(text)));
  return {};
}

Result<SettingValue> ParseSetting(const Declaration& declaration, std::string_view text) {
  const std::string_view trimmed = Trimmed(text, kLineBlanks);
  if (declaration.fallback.empty() && (trimmed.empty() || trimmed == "none")) return Unset{};
  if (declaration.type == SettingType::kPath && trimmed.starts_with("~/"))
    GPTOSS_CHECK_OK(HomeDirectory());  // else it would read as if the path were wrong
  const std::optional<SettingValue> value = ParseType(declaration, trimmed);
  if (!value) return Refused(declaration, trimmed);
  // The text as given, not as understood, belongs into the sentence.
  if (const Status status = CheckSetting(declaration, *value); !status)
    return std::unexpected(status.error());
  return *value;
}

std::string FormatSetting(const SettingValue& value) {
  struct Visitor {
    std::string operator()(Unset) const { return "none"; }
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t n) const { return fmt::format("{}", n); }
    std::string operator()(double n) const { return fmt::format("{}", n); }
    std::string operator()(ByteCount n) const { return FormatBytes(n.bytes); }
    std::string operator()(Duration d) const { return FormatDuration(d); }
    std::string operator()(const std::string& s) const { return s; }
  };
  return std::visit(Visitor(), value);
}

std::string FormatToml(const SettingValue& value) {
  const std::string text = FormatSetting(value);
  if (std::holds_alternative<double>(value) && text.find_first_of(".e") == std::string::npos)
    return text + ".0";
  if (std::holds_alternative<bool>(value) || std::holds_alternative<std::int64_t>(value) ||
      std::holds_alternative<double>(value))
    return text;
  return TomlString(text);
}

}  // namespace gptoss
