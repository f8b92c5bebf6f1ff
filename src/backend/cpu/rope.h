// Rotary position embedding with YaRN (Peng et al., arXiv 2309.00071), half-split pairs (i, i + head_dim /
// 2).
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace gptoss {

// Immutable after construction. Angles are computed in double from the position itself, so position 131,071
// is as exact as position 1.
class Rope {
 public:
  Rope(const RopeConfig& config, std::int64_t head_dim);

  // cos and sin of `position`, head_dim / 2 each, times the concentration factor 0.1 · ln(factor) + 1.
  void Angles(std::int64_t position, float* cos, float* sin) const;
  // Rotates one head in place.
  void Rotate(float* head, const float* cos, const float* sin) const;

 private:
  std::int64_t half_;
  double concentration_ = 1;
  std::vector<double> frequencies_;  // [head_dim / 2], radians per position
};

}  // namespace gptoss
