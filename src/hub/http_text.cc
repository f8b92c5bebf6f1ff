#include "hub/http_text.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/utf8.h"

namespace gptoss::hub {
namespace {

// Takes text up to `separator` outside of "quotes" and <angles>; the rest stays in `text`.
std::string_view TakeUntil(std::string_view& text, char separator) {
  bool quoted = false;
  bool angled = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
      continue;
    }
    if (c == '"' && !angled) quoted = !quoted;
    if (c == '<' && !quoted) angled = true;
    if (c == '>' && !quoted) angled = false;
    if (c == separator && !quoted && !angled) break;
  }
  i = std::min(i, text.size());
  const std::string_view taken = text.substr(0, i);
  text.remove_prefix(std::min(i + 1, text.size()));
  return taken;
}

std::optional<std::chrono::seconds> RateLimitWait(std::string_view text) {
  // "api";r=0;t=55, "resolvers";r=12;t=55
  std::optional<std::chrono::seconds> wait;
  while (!text.empty()) {
    std::string_view entry = TakeUntil(text, ',');
    std::optional<std::uint64_t> remaining;
    std::optional<std::uint64_t> seconds;
    TakeUntil(entry, ';');
    while (!entry.empty()) {
      const std::string_view parameter = Trimmed(TakeUntil(entry, ';'), kLineBlanks);
      if (parameter.starts_with("r=")) remaining = ParseDecimal(parameter.substr(2));
      if (parameter.starts_with("t=")) seconds = ParseDecimal(parameter.substr(2));
    }
    if (remaining.value_or(1) != 0 || !seconds || *seconds > 1'000'000) continue;
    // One second more: the window's end is rounded down.
    const std::chrono::seconds asked(*seconds + 1);
    wait = std::max(wait.value_or(asked), asked);
  }
  return wait;
}

}  // namespace

std::optional<std::uint64_t> ParseDecimal(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::optional<ContentRange> ParseContentRange(std::string_view text) {
  text = Trimmed(text, kLineBlanks);
  if (text.size() < 6 || (!text.starts_with("bytes ") && !text.starts_with("Bytes "))) return std::nullopt;
  text = Trimmed(text.substr(6), kLineBlanks);
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view range = text.substr(0, slash);
  const std::string_view total = text.substr(slash + 1);
  ContentRange result;
  if (total != "*" && !(result.total = ParseDecimal(total))) return std::nullopt;
  if (range == "*") return result.total ? std::optional(result) : std::nullopt;
  const auto dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  result.first = ParseDecimal(range.substr(0, dash));
  result.last = ParseDecimal(range.substr(dash + 1));
  if (!result.first || !result.last || *result.last < *result.first) return std::nullopt;
  if (result.total && *result.last >= *result.total) return std::nullopt;
  return result;
}

std::optional<std::string> ParseNextLink(std::string_view text) {
  while (!text.empty()) {
    std::string_view link = Trimmed(TakeUntil(text, ','), kLineBlanks);
    const std::string_view target = Trimmed(TakeUntil(link, ';'), kLineBlanks);
    if (target.size() < 2 || target.front() != '<' || target.back() != '>') continue;
    while (!link.empty()) {
      std::string parameter(Trimmed(TakeUntil(link, ';'), kLineBlanks));
      std::erase(parameter, '"');
      std::erase(parameter, ' ');
      if (parameter == "rel=next") return std::string(target.substr(1, target.size() - 2));
    }
  }
  return std::nullopt;
}

std::string NormaliseEtag(std::string_view text) {
  text = Trimmed(text, kLineBlanks);
  if (text.starts_with("W/")) text.remove_prefix(2);
  while (!text.empty() && text.front() == '"') text.remove_prefix(1);
  while (!text.empty() && text.back() == '"') text.remove_suffix(1);
  return std::string(text);
}

std::string StrongEtag(const net::Headers& headers) {
  const std::string_view tag = Trimmed(net::FindHeader(headers, "etag").value_or(""), kLineBlanks);
  if (tag.size() < 3 || tag.size() > 200 || tag.front() != '"' || tag.back() != '"') return "";
  const bool plain = std::ranges::all_of(tag.substr(1, tag.size() - 2), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u > 0x20 && u < 0x7F && c != '"';
  });
  return plain ? std::string(tag) : "";
}

std::optional<std::chrono::seconds> RequestedWait(const net::Headers& headers) {
  if (const auto limit = net::FindHeader(headers, "ratelimit")) {
    if (const auto wait = RateLimitWait(*limit)) return wait;
  }
  const auto after = net::FindHeader(headers, "retry-after");
  if (!after) return std::nullopt;
  if (const auto seconds = ParseDecimal(Trimmed(*after, kLineBlanks))) {
    return std::chrono::seconds(std::min<std::uint64_t>(*seconds, 1'000'000));
  }
  const auto then = ParseHttpDate(*after);
  if (!then) return std::nullopt;
  std::int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  if (const auto date = net::FindHeader(headers, "date")) now = ParseHttpDate(*date).value_or(now);
  return std::chrono::seconds(std::clamp<std::int64_t>(*then - now, 0, 1'000'000));
}

std::optional<std::int64_t> ParseHttpDate(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  text = Trimmed(text, kLineBlanks);
  // "Sun, 06 Nov 1994 08:49:37 GMT"
  if (text.size() != 29 || !text.ends_with(" GMT") || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  const auto day = ParseDecimal(text.substr(5, 2));
  const auto year = ParseDecimal(text.substr(12, 4));
  const auto hour = ParseDecimal(text.substr(17, 2));
  const auto minute = ParseDecimal(text.substr(20, 2));
  const auto second = ParseDecimal(text.substr(23, 2));
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second || *day < 1 || *day > 31 ||
      *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(static_cast<int>(*year)),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
      std::chrono::day(static_cast<unsigned>(*day)));
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86'400LL + static_cast<std::int64_t>(*hour * 3600 + *minute * 60 + *second);
}

std::string ForMessage(std::string_view text) {
  std::string clean = ReplaceInvalidUtf8(text.substr(0, std::min<std::size_t>(text.size(), 300)));
  std::ranges::replace_if(
      clean, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return clean;
}

}  // namespace gptoss::hub
