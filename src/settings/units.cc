#include "settings/units.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"

namespace gptoss {
namespace {

struct TimeUnit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array<TimeUnit, 5> kTimeUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::size_t kFractionDigits = 6;
constexpr std::int64_t kLongest = 36'500LL * 86'400'000;

struct SizeUnit {
  std::string_view name;  // as written by FormatBytes; read in any case
  std::uint64_t bytes;
};
constexpr std::array<SizeUnit, 9> kSizeUnits = {{{"TB", 1'000'000'000'000},
                                                 {"TiB", 1ULL << 40},
                                                 {"GB", 1'000'000'000},
                                                 {"GiB", 1ULL << 30},
                                                 {"MB", 1'000'000},
                                                 {"MiB", 1ULL << 20},
                                                 {"kB", 1000},
                                                 {"KiB", 1ULL << 10},
                                                 {"B", 1}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Lowered(std::string_view text) {
  std::string out;
  for (const char c : text) out += Lower(c);
  return out;
}

// Takes the digits at the front; nullopt without any, or beyond 2^64 - 1.
std::optional<std::uint64_t> TakeNumber(std::string_view& text) {
  if (text.empty() || !IsDigit(text.front())) return std::nullopt;
  std::uint64_t number = 0;
  for (; !text.empty() && IsDigit(text.front()); text.remove_prefix(1)) {
    const auto digit = static_cast<std::uint64_t>(text.front() - '0');
    if (number > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
    number = number * 10 + digit;
  }
  return number;
}

std::string_view TakeLetters(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && IsLetter(text[count])) ++count;
  const std::string_view letters = text.substr(0, count);
  text.remove_prefix(count);
  return letters;
}

}  // namespace

Result<Duration> ParseDuration(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no length of time{}: write 500ms, 30s, 10m, 1h30m, 2d or never",
                            Excerpt(text), why));
  };
  std::string_view rest = Trimmed(text, kLineBlanks);
  if (Lowered(rest) == "never") return Duration::Never();
  if (rest == "0") return Duration{};
  if (rest.empty()) return bad("");
  std::int64_t total = 0;
  std::size_t next_unit = 0;  // units come from large to small, each once
  while (!rest.empty()) {
    const auto number = TakeNumber(rest);
    if (!number) return bad("");
    rest = Trimmed(rest, kLineBlanks);
    const std::string unit = Lowered(TakeLetters(rest));
    if (unit.empty()) return bad(" (a unit is missing)");
    while (next_unit < kTimeUnits.size() && kTimeUnits[next_unit].name != unit) ++next_unit;
    if (next_unit == kTimeUnits.size()) return bad("");
    const std::int64_t scale = kTimeUnits[next_unit++].milliseconds;
    if (*number > static_cast<std::uint64_t>((kLongest - total) / scale))
      return bad(" of at most 36500 days");
    total += static_cast<std::int64_t>(*number) * scale;
    rest = Trimmed(rest, kLineBlanks);
  }
  return Duration{std::chrono::milliseconds(total)};
}

std::string FormatDuration(Duration duration) {
  if (duration.never) return "never";
  std::int64_t left = duration.length.count();
  if (left <= 0) return "0";
  std::string out;
  for (const TimeUnit& unit : kTimeUnits) {
    if (left >= unit.milliseconds) out += fmt::format("{}{}", left / unit.milliseconds, unit.name);
    left %= unit.milliseconds;
  }
  return out;
}

Result<std::uint64_t> ParseBytes(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' is no size{}: write 16GB, 1.5GB, 512MiB or a number of bytes", Excerpt(text), why));
  };
  std::string_view rest = Trimmed(text, kLineBlanks);
  const auto whole = TakeNumber(rest);
  if (!whole) return bad("");
  std::string_view fraction;
  std::size_t fraction_digits = 0;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    std::size_t digits = 0;
    while (digits < rest.size() && IsDigit(rest[digits])) ++digits;
    fraction = rest.substr(0, digits);
    fraction_digits = digits;
    rest.remove_prefix(digits);
    if (digits == 0 || digits > kFractionDigits) return bad("");
  }
  const std::string unit = Lowered(Trimmed(rest, kLineBlanks));
  std::uint64_t scale = unit.empty() ? 1 : 0;
  for (const SizeUnit& known : kSizeUnits)
    if (Lowered(known.name) == unit) scale = known.bytes;
  if (scale == 0) return bad("");
  // fraction * scale < 10^6 * 2^40 fits; the division has to come out even.
  std::uint64_t numerator = TakeNumber(fraction).value_or(0) * scale;
  for (std::size_t i = 0; i < fraction_digits; ++i) {
    if (numerator % 10 != 0) return bad(" of whole bytes");
    numerator /= 10;
  }
  if (*whole > (std::numeric_limits<std::uint64_t>::max() - numerator) / scale)
    return bad(" below 2^64 bytes");
  return *whole * scale + numerator;
}

std::string FormatBytes(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  // The unit that divides evenly and leaves the smallest number; decimal before binary where both fit alike.
  const SizeUnit* best = &kSizeUnits.back();
  for (const SizeUnit& unit : kSizeUnits)
    if (bytes % unit.bytes == 0 && unit.bytes > best->bytes) best = &unit;
  return fmt::format("{}{}", bytes / best->bytes, best->name);
}

std::string DescribeBytes(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000'000) return fmt::format("{:.1f} TB", value / 1e12);
  if (bytes >= 1'000'000'000) return fmt::format("{:.1f} GB", value / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  if (bytes >= 1000) return fmt::format("{:.1f} kB", value / 1e3);
  return fmt::format("{} bytes", bytes);
}

}  // namespace gptoss
