#include "hub/part_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace gptoss::hub {
namespace {

constexpr std::size_t kDigits = 5;
constexpr std::string_view kOf = "-of-";

// Five digits at the beginning; -1: something else.
int NumberAt(std::string_view text) {
  if (text.size() < kDigits) return -1;
  int number = 0;
  for (const char c : text.substr(0, kDigits)) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

}  // namespace

std::optional<PartName> ParsePartName(std::string_view path) {
  const std::size_t of = path.rfind(kOf);
  if (of == std::string_view::npos || of < kDigits + 1 || path[of - kDigits - 1] != '-') return std::nullopt;
  const int number = NumberAt(path.substr(of - kDigits)), count = NumberAt(path.substr(of + kOf.size()));
  if (number < 0 || count < 0) return std::nullopt;
  return PartName{.before = std::string(path.substr(0, of - kDigits)),
                  .after = std::string(path.substr(of + kOf.size() + kDigits)),
                  .number = number,
                  .of = count};
}

std::string PartName::PathOf(int part) const {
  return fmt::format("{}{:05}{}{:05}{}", before, part, kOf, of, after);
}

std::string PartName::Series() const { return fmt::format("{}*{}{:05}{}", before, kOf, of, after); }

}  // namespace gptoss::hub
