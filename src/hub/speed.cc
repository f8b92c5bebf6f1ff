#include "hub/speed.h"

#include <algorithm>

namespace gptoss::hub {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr Seconds kSpeedWindow{5};
constexpr int kSettlePart = 3;  // of a trial: a new connection takes a while to come to speed
constexpr std::chrono::seconds kHold{20};
constexpr double kWorthMore = 1.08;    // one connection more has to bring this
constexpr double kWorthFewer = 0.97;   // one less may cost this
constexpr double kWorthLearning = 20;  // seconds that must be left; a try that fails costs about one

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
    : most_(std::max(1, most)), trial_time_(trial_time), target_(std::min(2, most_)) {}

std::chrono::milliseconds ConnectionGovernor::TrialTime() const {
  return phase_ == Phase::kDoubling ? trial_time_ / 5 : trial_time_;
}

void ConnectionGovernor::Restart(SteadyTime now) {
  started_ = true;
  measuring_ = false;
  since_ = now;
}

void ConnectionGovernor::Observe(SteadyTime now, std::uint64_t bytes, std::uint64_t left, int active) {
  if (!started_ || active < target_) {
    Restart(now);
    return;
  }
  const auto settle = TrialTime() / kSettlePart;
  if (!measuring_) {
    if (now - since_ < settle) return;
    measuring_ = true;
    since_ = now;
    bytes_ = bytes;
    return;
  }
  if (now - since_ < TrialTime() - settle) return;
  const double rate = static_cast<double>(bytes - bytes_) / Seconds(now - since_).count();
  Decide(now, rate, static_cast<double>(left) / std::max(rate, 1.0));
  Restart(now);
}

void ConnectionGovernor::TryMore(int step) {
  trial_ = last_trial_ = Trial::kMore;
  step_ = std::clamp(step, 1, most_ - target_);
  target_ += step_;
}

void ConnectionGovernor::TryFewer(int step) {
  trial_ = last_trial_ = Trial::kFewer;
  step_ = -step;
  target_ += step_;
}

void ConnectionGovernor::Undo(SteadyTime now) {
  target_ -= step_;
  if (phase_ == Phase::kDoubling) {
    phase_ = Phase::kHalving;
    return;
  }
  phase_ = Phase::kSteady;
  hold_until_ = now + kHold;
}

void ConnectionGovernor::Decide(SteadyTime now, double rate, double seconds_left) {
  const Trial trial = trial_;
  trial_ = Trial::kNone;
  if ((trial == Trial::kMore && rate < base_rate_ * kWorthMore) ||
      (trial == Trial::kFewer && rate < base_rate_ * kWorthFewer)) {
    return Undo(now);
  }
  base_rate_ = rate;
  if (phase_ == Phase::kDoubling && target_ == most_) phase_ = Phase::kHalving;
  if (phase_ == Phase::kDoubling) return TryMore(target_);
  const bool pays = seconds_left > kWorthLearning;
  if (phase_ == Phase::kHalving && !pays) return;
  if (phase_ == Phase::kHalving && target_ > 1) return TryFewer(target_ / 2);
  if (phase_ == Phase::kHalving) {
    phase_ = Phase::kSteady;
    hold_until_ = now + kHold;
  }
  if (now < hold_until_ && trial != Trial::kMore) return;
  // What paid off is tried again at once; otherwise the direction changes each time.
  const bool fewer =
      target_ > 1 && (target_ == most_ || (trial != Trial::kMore && last_trial_ == Trial::kMore));
  if (fewer) {
    if (!pays) return;
    TryFewer(1);
    if (target_ + 1 == most_) hold_until_ = now + kHold;
  } else if (target_ < most_) {
    TryMore(target_ / 2);
  }
}

void ConnectionGovernor::BackOff(SteadyTime now) {
  target_ = std::max(1, target_ / 2);
  trial_ = Trial::kNone;
  phase_ = Phase::kSteady;
  hold_until_ = now + kHold;
  Restart(now);
}

}  // namespace gptoss::hub
