#include "backend/cpu/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gptoss {

Rope::Rope(const RopeConfig& c, std::int64_t head_dim) : half_(head_dim / 2) {
  // The dimension that turns `rotations` times over the original context.
  const auto dimension = [&](double rotations) {
    return static_cast<double>(head_dim) * std::log(c.original_context / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(c.theta));
  };
  double low = dimension(c.beta_fast), high = dimension(c.beta_slow);
  if (c.truncate) low = std::floor(low), high = std::ceil(high);
  // transformers keeps the range inside the head; the real model's lies there anyway.
  low = std::max(low, 0.0), high = std::min(high, static_cast<double>(head_dim - 1));
  // The reference widens an empty range only to avoid dividing by zero.
  if (high - low < 1e-3) high = low + 1e-3;
  const bool yarn = c.factor > 1;
  if (yarn) concentration_ = 0.1 * std::log(c.factor) + 1;
  for (std::int64_t i = 0; i < half_; ++i) {
    const double base = std::pow(c.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    const double ramp = yarn ? std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0) : 0.0;
    frequencies_.push_back((1 - ramp) * base + ramp * base / c.factor);
  }
}

void Rope::Angles(std::int64_t position, float* cos, float* sin) const {
  for (std::int64_t i = 0; i < half_; ++i) {
    const double angle = static_cast<double>(position) * frequencies_[static_cast<std::size_t>(i)];
    cos[i] = static_cast<float>(std::cos(angle) * concentration_);
    sin[i] = static_cast<float>(std::sin(angle) * concentration_);
  }
}

void Rope::Rotate(float* head, const float* cos, const float* sin) const {
  for (std::int64_t i = 0; i < half_; ++i) {
    const float a = head[i], b = head[i + half_];
    head[i] = a * cos[i] - b * sin[i];
    head[i + half_] = b * cos[i] + a * sin[i];
  }
}

}  // namespace gptoss
