// How fast it goes, and how many connections that is worth. Pure: time comes in as an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

namespace gptoss::hub {

using SteadyTime = std::chrono::steady_clock::time_point;

// Bytes a second over the last seconds, and an estimate of the end that does not jump. One thread at a time.
class SpeedMeter {
 public:
  // `bytes` that have come so far; never less than before.
  void Observe(SteadyTime now, std::uint64_t bytes);
  // After a pause: the past says nothing any more.
  void Restart();
  double bytes_per_second() const;
  // -1: not known yet.
  double SecondsFor(std::uint64_t bytes) const;

 private:
  struct Sample {
    SteadyTime time;
    std::uint64_t bytes;
  };
  std::deque<Sample> samples_;
  double smooth_ = 0;  // for the estimate
};

// Begins with two connections and doubles as long as that makes things faster, in short trials: while
// connections come to speed that says too much, so then it halves as long as that costs nothing. From there
// it tries a few more or one fewer now and then. Parallel is no free win: on some lines many connections are
// slower than one. Fewer are tried only where enough is left to come that knowing pays. One thread at a time.
class ConnectionGovernor {
 public:
  ConnectionGovernor(int most, std::chrono::milliseconds trial_time);
  int target() const { return target_; }
  // Regularly. `bytes` that have come, `left` that are to come. `active`: connections that carry content now;
  // below the target nothing can be learnt.
  void Observe(SteadyTime now, std::uint64_t bytes, std::uint64_t left, int active);
  // The server asked for less (429, 503).
  void BackOff(SteadyTime now);

 private:
  enum class Phase : std::uint8_t { kDoubling, kHalving, kSteady };
  enum class Trial : std::uint8_t { kNone, kMore, kFewer };
  void Restart(SteadyTime now);
  void Decide(SteadyTime now, double rate, double seconds_left);
  void TryMore(int step);
  void TryFewer(int step);
  // Takes the last trial back; the next phase, if it was an attempt of an earlier one.
  void Undo(SteadyTime now);
  std::chrono::milliseconds TrialTime() const;

  const int most_;
  const std::chrono::milliseconds trial_time_;
  int target_;
  int step_ = 0;  // of the last trial: more than 0 was more
  Phase phase_ = Phase::kDoubling;
  Trial trial_ = Trial::kNone, last_trial_ = Trial::kNone;
  double base_rate_ = 0;  // before the trial
  bool started_ = false, measuring_ = false;
  SteadyTime since_{}, hold_until_{};
  std::uint64_t bytes_ = 0;
};

}  // namespace gptoss::hub
