// Durations and sizes as people write them, both ways.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss {

// A length of time, or "never".
struct Duration {
  std::chrono::milliseconds length{0};  // 0 with `never`
  bool never = false;

  static constexpr Duration Never() { return {.length = {}, .never = true}; }
  friend bool operator==(const Duration&, const Duration&) = default;
  // "never" is longer than any length.
  friend std::strong_ordering operator<=>(const Duration& a, const Duration& b) {
    if (a.never != b.never) return a.never <=> b.never;
    return a.length.count() <=> b.length.count();
  }
};

// "500ms", "30s", "10m", "1h30m", "2d", "never"; "0" needs no unit. Whole numbers, each unit at most once,
// the larger first; blanks between the parts and capitals do not matter. At most 36500 days.
Result<Duration> ParseDuration(std::string_view text);
// The shortest text that ParseDuration reads as the same.
std::string FormatDuration(Duration duration);

// "16GB", "1.5 GB", "512 MiB", "4096": kB, MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB powers of 1024;
// B or nothing is bytes. A fraction must come to whole bytes.
Result<std::uint64_t> ParseBytes(std::string_view text);
// Exact: ParseBytes reads it as the same number. "16GB", "512MiB", "1234567B".
std::string FormatBytes(std::uint64_t bytes);
// For people, rounded: "12.9 GB", "41.0 MB".
std::string DescribeBytes(std::uint64_t bytes);

}  // namespace gptoss
