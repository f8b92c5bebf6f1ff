// From what a system tells to a level of memory pressure. Pure: no clock, no files. Internal to this folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "platform/memory_pressure.h"

namespace gptoss {

struct PressureReading {
  bool some_stalled = false;  // PSI: some tasks waited for memory for a tenth of the last two seconds
  bool all_stalled = false;   // PSI: all of them did
  bool out_of_memory =
      false;  // the control group met its limit and reclaim did not help, or somebody was killed
  std::uint64_t total = 0, available = 0;  // bytes; total 0: not known
};

// Rises at once. Falls when nothing has called for the level for kHold, so that a listener is not thrown to
// and fro. One thread.
class PressureJudge {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kHold{5};
  // Below these parts of the memory the system is in want even where no stall is reported.
  static constexpr std::uint64_t kWarningPart = 12, kCriticalPart = 32;

  MemoryPressure Judge(const PressureReading& reading, Clock::time_point now);

 private:
  std::optional<Clock::time_point> warned_, critical_;  // when last called for
};

}  // namespace gptoss
