// Cancellation: the one handle that the asking and the working side both hold.
#pragma once

#include <atomic>
#include <memory>

namespace gptoss {

// Safe from any thread. Copies share the state. A default-made token can never be cancelled.
class CancelToken {
 public:
  CancelToken() = default;
  bool cancelled() const { return state_ && state_->load(std::memory_order_relaxed); }

 private:
  friend class CancelSource;
  explicit CancelToken(std::shared_ptr<const std::atomic<bool>> state) : state_(std::move(state)) {}
  std::shared_ptr<const std::atomic<bool>> state_;
};

// Cancel() is async-signal-safe: a lock-free store, nothing else.
class CancelSource {
 public:
  CancelSource() : state_(std::make_shared<std::atomic<bool>>(false)) {}
  CancelToken token() const { return CancelToken(state_); }
  void Cancel() const { state_->store(true, std::memory_order_relaxed); }
  bool cancelled() const { return state_->load(std::memory_order_relaxed); }

 private:
  static_assert(std::atomic<bool>::is_always_lock_free);
  std::shared_ptr<std::atomic<bool>> state_;
};

}  // namespace gptoss
