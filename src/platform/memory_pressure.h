// Tells when the system is short of memory. Linux: PSI, the control group's events and a look at what is
// available; macOS: the memory pressure source of libdispatch.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace gptoss {

enum class MemoryPressure : std::uint8_t {
  kNormal,
  kWarning,   // drop what can be had again: caches
  kCritical,  // give back all that can be given, or the system starts to kill
};
std::string_view MemoryPressureName(MemoryPressure level);

// Where a monitor gets its levels from. Tests inject their own.
class MemoryPressureSource {
 public:
  virtual ~MemoryPressureSource() = default;
  // The level now, after waiting for news but at most about `patience`. The monitor's thread alone calls it.
  virtual MemoryPressure Wait(std::chrono::milliseconds patience) = 0;
  // Makes a Wait that runs, or else the next one, return soon. Any thread.
  virtual void Wake() = 0;
};
// The system's own. Never null: where nothing better is there it looks at available memory once a second.
std::unique_ptr<MemoryPressureSource> SystemMemoryPressureSource();

// Owns one thread, which waits for the source and calls the listeners at every change of level, one after the
// other. All methods are safe from any thread, from inside a listener as well (but do not destroy it there).
class MemoryPressureMonitor {
 public:
  using Listener = std::function<void(MemoryPressure)>;
  explicit MemoryPressureMonitor(std::unique_ptr<MemoryPressureSource> source = SystemMemoryPressureSource());
  ~MemoryPressureMonitor();  // joins; no listener runs after it
  MemoryPressureMonitor(const MemoryPressureMonitor&) = delete;
  MemoryPressureMonitor& operator=(const MemoryPressureMonitor&) = delete;

  MemoryPressure level() const;
  // A listener that comes while the level is not normal is told at once, on the monitor's thread.
  int AddListener(Listener listener);
  // Waits for a call of this listener that runs on the monitor's thread, unless it is called from there.
  void RemoveListener(int id);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gptoss
