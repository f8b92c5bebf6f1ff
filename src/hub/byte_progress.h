// Progress of work that is nothing but bytes on this machine: checking, copying, packing.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "hub/transfer.h"

namespace gptoss::hub {

// Add() from any thread; the observer hears of it at most ten times a second, from one of them.
class ByteProgress {
 public:
  ByteProgress(std::uint64_t total_bytes, std::string state, ProgressObserver observer);
  void Add(std::uint64_t bytes);
  void SetFile(std::string file);
  // For functions that report increments. Lives no longer than this.
  std::function<void(std::uint64_t)> counter() {
    return [this](std::uint64_t bytes) { Add(bytes); };
  }

 private:
  using Clock = std::chrono::steady_clock;
  const ProgressObserver observer_;
  std::mutex mutex_;
  TransferProgress progress_;
  std::deque<std::pair<Clock::time_point, std::uint64_t>> window_;
  Clock::time_point told_;
};

}  // namespace gptoss::hub
