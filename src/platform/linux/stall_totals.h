// How long tasks waited for memory, as /proc/pressure/memory adds it up. Internal to this folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>

namespace gptoss {

// Microseconds since the system started: some tasks waited, or all that had something to do.
struct StallTotals {
  std::uint64_t some = 0, all = 0;
};
// Of a file in PSI's form; nullopt: it is none.
std::optional<StallTotals> ReadStallTotals(const std::filesystem::path& file);

// Holds the kernel's triggers to what its own totals say. The first stall after a quiet time sets a trigger
// off whatever its length, for what was added up before is counted with it (seen on 6.1: 35 us fired "full
// 200000"). One thread.
class StallHistory {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kWindow{2};
  static constexpr std::uint64_t kStalled = 200'000;  // microseconds in a window

  explicit StallHistory(std::optional<StallTotals> totals, Clock::time_point now) { Observe(totals, now); }
  void Observe(const std::optional<StallTotals>& totals, Clock::time_point now);
  // Whether so much was lost since a window ago, or since the last look before that. True where nothing is
  // known.
  bool SomeStalled() const { return Grew(&StallTotals::some); }
  bool AllStalled() const { return Grew(&StallTotals::all); }

 private:
  struct Sample {
    StallTotals totals;
    Clock::time_point at;
  };
  bool Grew(std::uint64_t StallTotals::* which) const {
    return samples_.empty() || samples_.back().totals.*which - samples_.front().totals.*which >= kStalled;
  }
  std::deque<Sample> samples_;  // the first is the newest that is a window old, or the very first
};

}  // namespace gptoss
