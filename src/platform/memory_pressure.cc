#include "platform/memory_pressure.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "platform/system.h"

namespace gptoss {
namespace {

// Also how long a level is kept too long at most, and how soon a system without events is looked at.
constexpr std::chrono::milliseconds kPatience{2000};

}  // namespace

std::string_view MemoryPressureName(MemoryPressure level) {
  switch (level) {
    case MemoryPressure::kNormal:
      return "normal";
    case MemoryPressure::kWarning:
      return "warning";
    case MemoryPressure::kCritical:
      return "critical";
  }
  return "normal";
}

class MemoryPressureMonitor::Impl {
 public:
  explicit Impl(std::unique_ptr<MemoryPressureSource> source) : source_(std::move(source)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~Impl() {
    stopping_ = true;
    source_->Wake();
    thread_.join();
  }

  MemoryPressure level() const { return level_; }

  int Add(Listener listener) {
    int id = 0;
    {
      std::lock_guard lock(mutex_);
      id = next_id_++;
      listeners_[id] = {std::move(listener), MemoryPressure::kNormal};
    }
    source_->Wake();  // to be told soon when the level is not normal
    return id;
  }

  void Remove(int id) {
    std::unique_lock lock(mutex_);
    listeners_.erase(id);
    if (std::this_thread::get_id() == thread_.get_id()) return;
    called_.wait(lock, [&] { return calling_ != id; });
  }

 private:
  struct Entry {
    Listener listener;
    MemoryPressure told;
  };

  void Run() {
    NameThisThread("gptoss-pressure");
    while (!stopping_) {
      level_ = source_->Wait(kPatience);
      if (!stopping_) TellAll(level_);
    }
  }

  void TellAll(MemoryPressure level) {
    std::unique_lock lock(mutex_);
    std::vector<int> ids;
    for (const auto& [id, entry] : listeners_)
      if (entry.told != level) ids.push_back(id);
    for (const int id : ids) {
      const auto found = listeners_.find(id);
      if (found == listeners_.end()) continue;  // removed by a listener before it
      found->second.told = level;
      const Listener listener = found->second.listener;
      calling_ = id;
      lock.unlock();
      listener(level);
      lock.lock();
      calling_ = -1;
      called_.notify_all();
    }
  }

  std::unique_ptr<MemoryPressureSource> source_;
  std::atomic<MemoryPressure> level_ = MemoryPressure::kNormal;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable called_;
  std::map<int, Entry> listeners_;
  int next_id_ = 0;
  int calling_ = -1;  // id of the listener that is being called
  std::thread thread_;
};

MemoryPressureMonitor::MemoryPressureMonitor(std::unique_ptr<MemoryPressureSource> source)
    : impl_(std::make_unique<Impl>(std::move(source))) {}
MemoryPressureMonitor::~MemoryPressureMonitor() = default;
MemoryPressure MemoryPressureMonitor::level() const { return impl_->level(); }
int MemoryPressureMonitor::AddListener(Listener listener) { return impl_->Add(std::move(listener)); }
void MemoryPressureMonitor::RemoveListener(int id) { impl_->Remove(id); }

}  // namespace gptoss
