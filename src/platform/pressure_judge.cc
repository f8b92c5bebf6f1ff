#include "platform/pressure_judge.h"

namespace gptoss {

MemoryPressure PressureJudge::Judge(const PressureReading& r, Clock::time_point now) {
  const auto below = [&](std::uint64_t part) { return r.total > 0 && r.available < r.total / part; };
  if (r.out_of_memory || r.all_stalled || below(kCriticalPart)) critical_ = now;
  if (critical_ == now || r.some_stalled || below(kWarningPart)) warned_ = now;
  if (critical_ && now - *critical_ < kHold) return MemoryPressure::kCritical;
  if (warned_ && now - *warned_ < kHold) return MemoryPressure::kWarning;
  return MemoryPressure::kNormal;
}

}  // namespace gptoss
