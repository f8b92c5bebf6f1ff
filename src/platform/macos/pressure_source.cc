#include <dispatch/dispatch.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "platform/memory_pressure.h"
#include "platform/pressure_judge.h"
#include "platform/system.h"

namespace gptoss {
namespace {

class DispatchSource : public MemoryPressureSource {
 public:
  DispatchSource() {
    queue_ = ::dispatch_queue_create("gptoss.memory-pressure", DISPATCH_QUEUE_SERIAL);
    source_ = ::dispatch_source_create(
        DISPATCH_SOURCE_TYPE_MEMORYPRESSURE, 0,
        DISPATCH_MEMORYPRESSURE_NORMAL | DISPATCH_MEMORYPRESSURE_WARN | DISPATCH_MEMORYPRESSURE_CRITICAL,
        queue_);
    if (source_ == nullptr) return;  // then available memory is all there is to look at
    ::dispatch_set_context(source_, this);
    ::dispatch_source_set_event_handler_f(source_, &DispatchSource::OnEvent);
    ::dispatch_source_set_cancel_handler_f(source_, &DispatchSource::OnCancelled);
    ::dispatch_resume(source_);
  }
  ~DispatchSource() override {
    if (source_ != nullptr) {
      ::dispatch_source_cancel(source_);
      std::unique_lock lock(mutex_);
      news_.wait(lock, [this] { return cancelled_; });  // no handler runs after that
      lock.unlock();
      ::dispatch_release(source_);
    }
    ::dispatch_release(queue_);
  }
  DispatchSource(const DispatchSource&) = delete;
  DispatchSource& operator=(const DispatchSource&) = delete;

  MemoryPressure Wait(std::chrono::milliseconds patience) override {
    std::unique_lock lock(mutex_);
    if (source_ == nullptr) patience = std::min(patience, std::chrono::milliseconds(1000));
    news_.wait_for(lock, patience, [this] { return woken_; });
    woken_ = false;
    if (source_ != nullptr) return level_;  // the system says when it is over
    lock.unlock();
    const MemoryInfo memory = SystemMemory();
    return judge_.Judge({.total = memory.total, .available = memory.available}, PressureJudge::Clock::now());
  }

  void Wake() override {
    {
      std::lock_guard lock(mutex_);
      woken_ = true;
    }
    news_.notify_all();
  }

 private:
  static void OnEvent(void* context) {
    auto* self = static_cast<DispatchSource*>(context);
    const unsigned long flags = ::dispatch_source_get_data(self->source_);
    {
      std::lock_guard lock(self->mutex_);
      self->level_ = (flags & DISPATCH_MEMORYPRESSURE_CRITICAL) != 0 ? MemoryPressure::kCritical
                     : (flags & DISPATCH_MEMORYPRESSURE_WARN) != 0   ? MemoryPressure::kWarning
                                                                     : MemoryPressure::kNormal;
    }
    self->Wake();
  }
  static void OnCancelled(void* context) {
    auto* self = static_cast<DispatchSource*>(context);
    // Notified under the lock: whoever waits destroys the condition variable next.
    std::lock_guard lock(self->mutex_);
    self->cancelled_ = true;
    self->news_.notify_all();
  }

  dispatch_queue_t queue_ = nullptr;
  dispatch_source_t source_ = nullptr;
  std::mutex mutex_;
  std::condition_variable news_;
  bool woken_ = false, cancelled_ = false;
  MemoryPressure level_ = MemoryPressure::kNormal;
  PressureJudge judge_;
};

}  // namespace

std::unique_ptr<MemoryPressureSource> SystemMemoryPressureSource() {
  return std::make_unique<DispatchSource>();
}

}  // namespace gptoss
