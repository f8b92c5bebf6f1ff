// Worker threads that compute together with the calling thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace gptoss {

// One caller at a time. Workers are pinned to CPUs where the system allows it; between calls they spin for a
// moment (a fork-join costs ~1 µs then) and sleep after that.
class ThreadPool {
 public:
  // `threads` in all, the caller included; at least 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls fn(begin, end, worker) over [0, count) in pieces of `grain`; worker in [0, threads()). Returns when
  // all is done. Pieces are handed out first come, first served, so results must not depend on who computes
  // what.
  template <typename Fn>
  void ParallelFor(std::int64_t count, std::int64_t grain, Fn&& fn) {
    using Plain = std::remove_reference_t<Fn>;
    Run(count, grain, const_cast<void*>(static_cast<const void*>(&fn)),
        [](void* context, std::int64_t begin, std::int64_t end, int worker) {
          (*static_cast<Plain*>(context))(begin, end, worker);
        });
  }

 private:
  using Call = void (*)(void* context, std::int64_t begin, std::int64_t end, int worker);
  void Run(std::int64_t count, std::int64_t grain, void* context, Call call);
  void Work(int worker);
  void Loop(int worker);

  std::vector<std::thread> workers_;
  // The job; written before `ticket_` is raised, read after it was seen.
  void* context_ = nullptr;
  Call call_ = nullptr;
  std::int64_t count_ = 0, grain_ = 1;
  alignas(64) std::atomic<std::int64_t> next_{0};
  alignas(64) std::atomic<std::uint32_t> ticket_{0};
  alignas(64) std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace gptoss
