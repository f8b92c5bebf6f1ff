#include "hub/speed.h"

#include <algorithm>

namespace gptoss::hub {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr Seconds kSpeedWindow{5};
constexpr int kSettlePart = 3;  // of a trial: a new connection takes a while to come to speed
constexpr std::chrono::seconds kHold{20};
constexpr double kWorthMore = 1.08;   // one connection more has to bring this
constexpr double kWorthFewer = 0.97;  // one less may cost this

}  // namespace

void SpeedMeter::Observe(SteadyTime now, std::uint64_t bytes) {
  samples_.push_back({now, bytes});
  while (samples_.size() > 2 && now - samples_.front().time > kSpeedWindow) samples_.pop_front();
  const double rate = bytes_per_second();
  smooth_ = smooth_ <= 0 ? rate : smooth_ + (rate - smooth_) * 0.02;
}

void SpeedMeter::Restart() { samples_.clear(); }

double SpeedMeter::bytes_per_second() const {
  if (samples_.size() < 2) return 0;
  const double seconds = Seconds(samples_.back().time - samples_.front().time).count();
  return seconds <= 0 ? 0 : static_cast<double>(samples_.back().bytes - samples_.front().bytes) / seconds;
}

double SpeedMeter::SecondsFor(std::uint64_t bytes) const {
  if (samples_.size() < 2 || samples_.back().time - samples_.front().time < std::chrono::seconds(1) ||
      smooth_ < 1) {
    return -1;
  }
  return static_cast<double>(bytes) / smooth_;
}

ConnectionGovernor::ConnectionGovernor(int most, std::chrono::milliseconds trial_time)
    : most_(std::max(1, most)), trial_time_(trial_time), target_(1) {}

void ConnectionGovernor::Restart(SteadyTime now) {
  started_ = true;
  measuring_ = false;
  since_ = now;
}

void ConnectionGovernor::Observe(SteadyTime now, std::uint64_t bytes, int active) {
  if (!started_ || active < target_) {
    Restart(now);
    return;
  }
  if (!measuring_) {
    if (now - since_ < trial_time_ / kSettlePart) return;
    measuring_ = true;
    since_ = now;
    bytes_ = bytes;
    return;
  }
  if (now - since_ < trial_time_ - trial_time_ / kSettlePart) return;
  Decide(now, static_cast<double>(bytes - bytes_) / Seconds(now - since_).count());
}

void ConnectionGovernor::Decide(SteadyTime now, double rate) {
  const Trial trial = trial_;
  trial_ = Trial::kNone;
  if (trial == Trial::kMore && rate < base_rate_ * kWorthMore) {
    target_ -= step_;
    ramping_ = false;
    hold_until_ = now + kHold;
  } else if (trial == Trial::kFewer && rate < base_rate_ * kWorthFewer) {
    ++target_;
    hold_until_ = now + kHold;
  } else if (now >= hold_until_ || trial == Trial::kMore) {
    // What paid off is tried again at once; otherwise the direction changes each time.
    const bool fewer =
        target_ > 1 && (target_ == most_ || (trial != Trial::kMore && last_trial_ == Trial::kMore));
    if (fewer) {
      trial_ = Trial::kFewer;
      --target_;
    } else if (target_ < most_) {
      trial_ = Trial::kMore;
      step_ = std::clamp(ramping_ ? target_ : target_ / 2, 1, most_ - target_);
      target_ += step_;
    }
    if (trial_ != Trial::kNone) last_trial_ = trial_;
    base_rate_ = rate;
    if (trial_ == Trial::kFewer && target_ + 1 == most_) hold_until_ = now + kHold;
  }
  Restart(now);
}

void ConnectionGovernor::BackOff(SteadyTime now) {
  target_ = std::max(1, target_ / 2);
  trial_ = Trial::kNone;
  hold_until_ = now + kHold;
  Restart(now);
}

}  // namespace gptoss::hub
