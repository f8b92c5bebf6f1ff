// Tells observers of every change of the availability, in order, on a thread of its own, so that nobody who
// changes it waits for them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "provider/availability.h"

namespace gptoss {

// Safe from any thread, observers included.
class Notifier {
 public:
  using Observer = std::function<void(const Availability&)>;
  Notifier();
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void Tell(Availability availability);
  int Observe(Observer observer);
  void StopObserving(int number);

 private:
  void Run();
  std::mutex mutex_;
  std::condition_variable bell_, quiet_;
  std::deque<Availability> news_;
  std::map<int, std::shared_ptr<Observer>> observers_;
  int next_ = 1;
  int calling_ = 0;  // number of the observer that is being called; 0: none
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gptoss
