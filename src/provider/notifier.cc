#include "provider/notifier.h"

#include <utility>
#include <vector>

#include "platform/system.h"

namespace gptoss {
namespace {
// Progress that nobody has seen yet is replaced by newer progress; changes of state are never left out.
constexpr std::size_t kMaxNews = 256;
}  // namespace

Notifier::Notifier() : thread_([this] { Run(); }) {}

Notifier::~Notifier() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  bell_.notify_one();
  thread_.join();
}

void Notifier::Tell(Availability availability) {
  {
    std::lock_guard lock(mutex_);
    const bool progress =
        !news_.empty() && news_.back().state == availability.state &&
        (availability.state == ModelState::kDownloading || availability.state == ModelState::kLoading);
    if (progress || news_.size() >= kMaxNews) {
      news_.back() = std::move(availability);
    } else {
      news_.push_back(std::move(availability));
    }
  }
  bell_.notify_one();
}

int Notifier::Observe(Observer observer) {
  std::lock_guard lock(mutex_);
  observers_[next_] = std::make_shared<Observer>(std::move(observer));
  return next_++;
}

void Notifier::StopObserving(int number) {
  std::unique_lock lock(mutex_);
  observers_.erase(number);
  if (std::this_thread::get_id() == thread_.get_id()) return;
  quiet_.wait(lock, [&] { return calling_ != number; });
}

void Notifier::Run() {
  NameThisThread("gptoss-observe");
  std::unique_lock lock(mutex_);
  for (;;) {
    bell_.wait(lock, [&] { return stopping_ || !news_.empty(); });
    if (news_.empty()) return;  // stopping: what was told before is still delivered
    const Availability news = std::move(news_.front());
    news_.pop_front();
    std::vector<int> numbers;
    for (const auto& [number, observer] : observers_) numbers.push_back(number);
    for (const int number : numbers) {
      const auto found = observers_.find(number);
      if (found == observers_.end()) continue;
      const std::shared_ptr<Observer> observer = found->second;
      calling_ = number;
      lock.unlock();
      try {
        (*observer)(news);
      } catch (...) {  // an observer's trouble is its own
      }
      lock.lock();
      calling_ = 0;
      quiet_.notify_all();
    }
  }
}

}  // namespace gptoss
