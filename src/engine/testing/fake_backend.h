// A backend for tests: logits are a function of the ids a sequence has read; everything is counted.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace gptoss::testing {

// What a test sees of the backend while the engine owns it. Set the functions before the engine starts.
struct FakeControl {
  std::function<void(const std::vector<std::int32_t>& ids, std::span<float> logits)> logits;
  std::function<Status(std::span<const BatchRow> rows)> before;  // an error makes the call fail
  std::chrono::microseconds per_row{0};
  std::atomic<std::int64_t> rows{0}, calls{0}, widest{0}, live_sequences{0}, created{0};
  std::atomic<bool> wrong_thread{false};
};

// As the real one, it can go back `kRing` tokens or to one of the newest boundaries.
class FakeBackend final : public Backend {
 public:
  static constexpr std::int64_t kRing = 16;
  static constexpr std::size_t kBoundaries = 4;

  FakeBackend(std::shared_ptr<FakeControl> control, std::int64_t vocab, std::int64_t context)
      : control_(std::move(control)) {
    config_.vocab = vocab;
    config_.max_context = context;
  }
  ~FakeBackend() override { control_->live_sequences -= static_cast<std::int64_t>(sequences_.size()); }
  FakeBackend(const FakeBackend&) = delete;
  FakeBackend& operator=(const FakeBackend&) = delete;

  const ModelConfig& config() const override { return config_; }
  std::string description() const override { return "fake"; }
  BackendMemory memory() const override { return {}; }
  std::int64_t max_batch_rows() const override { return 32; }

  Result<SequenceId> CreateSequence(std::int64_t) override {
    CheckThread();
    ++control_->live_sequences, ++control_->created;
    sequences_[next_];
    return next_++;
  }
  void FreeSequence(SequenceId sequence) override {
    CheckThread();
    control_->live_sequences -= static_cast<std::int64_t>(sequences_.erase(sequence));
  }
  std::int64_t Length(SequenceId sequence) const override {
    return static_cast<std::int64_t>(sequences_.at(sequence).ids.size());
  }
  Result<SequenceId> Fork(SequenceId, std::int64_t) override {
    return Fail(ErrorCode::kUnsupported, "the fake does not fork");
  }
  void MarkBoundary(SequenceId sequence) override {
    CheckThread();
    auto& boundaries = sequences_.at(sequence).boundaries;
    boundaries.push_back(Length(sequence));
    if (boundaries.size() > kBoundaries) boundaries.pop_front();
  }
  std::int64_t Truncate(SequenceId id, std::int64_t length) override {
    CheckThread();
    Sequence& sequence = sequences_.at(id);
    std::int64_t kept = length;
    if (length < sequence.high_water - kRing) {
      kept = 0;
      for (const std::int64_t boundary : sequence.boundaries) {
        if (boundary <= length && boundary > kept) kept = boundary;
      }
    }
    sequence.ids.resize(static_cast<std::size_t>(kept));
    sequence.high_water = kept;
    std::erase_if(sequence.boundaries, [&](std::int64_t boundary) { return boundary > kept; });
    return kept;
  }

  Status Forward(std::span<const BatchRow> rows, std::span<float> logits,
                 const CancelToken& cancel) override {
    CheckThread();
    ++control_->calls;
    const auto count = static_cast<std::int64_t>(rows.size());
    if (count > control_->widest) control_->widest = count;
    if (count > max_batch_rows()) return Fail(ErrorCode::kOutOfRange, "too many rows");
    if (control_->before) GPTOSS_CHECK_OK(control_->before(rows));
    for (std::size_t i = 0; i < rows.size(); ++i) {  // a "layer" per row
      if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
      if (control_->per_row.count() > 0) std::this_thread::sleep_for(control_->per_row);
      ++control_->rows;
    }
    const auto vocab = static_cast<std::size_t>(config_.vocab);
    std::size_t wanted = 0;
    for (const BatchRow& row : rows) {
      Sequence& sequence = sequences_.at(row.sequence);
      sequence.ids.push_back(row.token);
      sequence.high_water = std::max(sequence.high_water, static_cast<std::int64_t>(sequence.ids.size()));
      if (row.wants_logits) control_->logits(sequence.ids, logits.subspan(wanted++ * vocab, vocab));
    }
    if (wanted * vocab != logits.size()) return Fail(ErrorCode::kInvalidArgument, "logits do not fit");
    return {};
  }

 private:
  struct Sequence {
    std::vector<std::int32_t> ids;
    std::int64_t high_water = 0;
    std::deque<std::int64_t> boundaries;
  };
  void CheckThread() {
    if (owner_ == std::thread::id()) owner_ = std::this_thread::get_id();
    if (owner_ != std::this_thread::get_id()) control_->wrong_thread = true;
  }

  std::shared_ptr<FakeControl> control_;
  ModelConfig config_;
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_ = 1;
  std::thread::id owner_;
};

// Spread-out logits in [-4, 4) that depend on every id read.
inline void HashLogits(const std::vector<std::int32_t>& ids, std::span<float> logits) {
  std::uint64_t hash = 1469598103934665603ULL;
  for (const std::int32_t id : ids) hash = (hash ^ static_cast<std::uint64_t>(id)) * 1099511628211ULL;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    std::uint64_t z = (hash + i) * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 29)) * 0xBF58476D1CE4E5B9ULL;
    logits[i] = static_cast<float>((z ^ (z >> 32)) % 8000) / 1000.0F - 4.0F;
  }
}

// The next id is the last one plus one, wrapping around.
inline void CountingLogits(const std::vector<std::int32_t>& ids, std::span<float> logits) {
  for (float& logit : logits) logit = 0;
  logits[(static_cast<std::size_t>(ids.back()) + 1) % logits.size()] = 10;
}

}  // namespace gptoss::testing
