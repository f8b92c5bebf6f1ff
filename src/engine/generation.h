// One submitted generation and the way it and its reader reach the engine's thread. Internal to this folder.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/channel.h"
#include "engine/engine.h"
#include "engine/sampler.h"
#include "engine/sequence_pool.h"

namespace gptoss {

using EngineClock = std::chrono::steady_clock;
inline double SecondsSince(EngineClock::time_point start) {
  return std::chrono::duration<double>(EngineClock::now() - start).count();
}

// Shared by the engine's thread, which works on it, and the stream, which reads it.
struct Generation {
  enum class Phase : std::uint8_t {
    kPrefill,  // the prompt is being read
    kDeliver,  // `next` waits for room in the channel
    kDecode,   // `next` is delivered and has to be fed
  };

  Generation(GenerationRequest the_request, std::size_t capacity)
      : request(std::move(the_request)), channel(capacity) {}
  bool cancelled() const { return stop.cancelled() || request.cancel.cancelled(); }

  const GenerationRequest request;
  BoundedChannel<std::int32_t> channel;
  CancelSource stop;                // set by the reader (dropped, or its own token) and at shutdown
  std::atomic<bool> paused{false};  // the channel was full: the reader wakes the engine when it takes an id
  const EngineClock::time_point submitted = EngineClock::now();
  // Written by the engine's thread until it closes the channel, read by the reader after that.
  GenerationStats stats;

  // The engine's thread alone:
  Phase phase = Phase::kPrefill;
  PooledSequence* sequence = nullptr;
  bool stalled = false;  // found no memory; goes on when somebody else has ended
  EngineClock::time_point stalled_since{};
  UniformSource random;
  std::int32_t next = 0;
};

// What other threads tell the engine's thread. Outlives the engine where a stream does.
class Mailbox {
 public:
  struct Letters {
    std::vector<std::shared_ptr<Generation>> submitted;
    std::vector<std::string> forgotten;
    bool drop_idle = false;
    bool stopping = false;
  };

  // False when `limit` submissions wait already.
  bool Submit(std::shared_ptr<Generation> generation, std::size_t limit) {
    std::lock_guard lock(mutex_);
    if (unfinished_ >= limit) return false;
    ++unfinished_;
    letters_.submitted.push_back(std::move(generation));
    Notify();
    return true;
  }
  void Forget(std::string key) {
    std::lock_guard lock(mutex_);
    letters_.forgotten.push_back(std::move(key));
    Notify();
  }
  void DropIdle() {
    std::lock_guard lock(mutex_);
    letters_.drop_idle = true;
    Notify();
  }
  void Wake() {
    std::lock_guard lock(mutex_);
    Notify();
  }
  void Stop() {
    std::lock_guard lock(mutex_);
    letters_.stopping = true;
    Notify();
  }
  // The engine's thread has ended one generation.
  void Finished() {
    std::lock_guard lock(mutex_);
    --unfinished_;
  }

  enum class Patience : std::uint8_t { kNone, kShort, kEndless };
  // Waits as long as told for something to arrive. Cancel tokens ring no bell: short waits look after them.
  Letters Take(Patience patience) {
    std::unique_lock lock(mutex_);
    const auto rung = [&] { return rung_; };
    if (patience == Patience::kEndless) bell_.wait(lock, rung);
    if (patience == Patience::kShort) bell_.wait_for(lock, std::chrono::milliseconds(5), rung);
    rung_ = false;
    Letters letters{std::move(letters_.submitted), std::move(letters_.forgotten),
                    std::exchange(letters_.drop_idle, false), letters_.stopping};
    letters_.submitted.clear();
    letters_.forgotten.clear();
    return letters;
  }

 private:
  void Notify() {
    rung_ = true;
    bell_.notify_one();
  }
  std::mutex mutex_;
  std::condition_variable bell_;
  bool rung_ = false;
  std::size_t unfinished_ = 0;
  Letters letters_;
};

}  // namespace gptoss
