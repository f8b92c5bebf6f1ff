// A bounded queue between two threads. A full channel makes the producer wait: that is the backpressure.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace gptoss {

// Any number of producers and consumers. Close() wakes everybody: later pushes fail, pops drain what is left.
template <typename T>
class BoundedChannel {
 public:
  explicit BoundedChannel(std::size_t capacity) : capacity_(capacity == 0 ? 1 : capacity) {}
  BoundedChannel(const BoundedChannel&) = delete;
  BoundedChannel& operator=(const BoundedChannel&) = delete;

  // Waits for room. False when the channel is closed; the value is then dropped.
  bool Push(T value) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [&] { return closed_ || items_.size() < capacity_; });
    return Put(std::move(value), lock);
  }

  // As Push, but gives up after `timeout` and hands the value back, so that the producer can look at its
  // cancel token. nullopt: pushed or closed (see closed()).
  template <typename Rep, typename Period>
  std::optional<T> PushFor(T value, std::chrono::duration<Rep, Period> timeout) {
    std::unique_lock lock(mutex_);
    if (!not_full_.wait_for(lock, timeout, [&] { return closed_ || items_.size() < capacity_; })) {
      return std::optional<T>(std::move(value));
    }
    Put(std::move(value), lock);
    return std::nullopt;
  }

  // Never waits. False when full or closed.
  bool TryPush(T value) {
    std::unique_lock lock(mutex_);
    if (items_.size() >= capacity_) return false;
    return Put(std::move(value), lock);
  }

  // Waits for an item. nullopt when the channel is closed and empty.
  std::optional<T> Pop() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return closed_ || !items_.empty(); });
    return Take(lock);
  }

  template <typename Rep, typename Period>
  std::optional<T> PopFor(std::chrono::duration<Rep, Period> timeout) {
    std::unique_lock lock(mutex_);
    not_empty_.wait_for(lock, timeout, [&] { return closed_ || !items_.empty(); });
    return Take(lock);
  }

  void Close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_full_.notify_all();
    not_empty_.notify_all();
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  bool full() const {
    std::lock_guard lock(mutex_);
    return items_.size() >= capacity_;
  }

 private:
  bool Put(T value, std::unique_lock<std::mutex>& lock) {
    if (closed_) return false;
    items_.push_back(std::move(value));
    lock.unlock();
    not_empty_.notify_one();
    return true;
  }
  std::optional<T> Take(std::unique_lock<std::mutex>& lock) {
    if (items_.empty()) return std::nullopt;
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    lock.unlock();
    not_full_.notify_one();
    return value;
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable not_full_, not_empty_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace gptoss
