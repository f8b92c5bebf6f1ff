#include "backend/cpu/thread_pool.h"

#include <algorithm>

#include "platform/system.h"

namespace gptoss {
namespace {

// About 20 µs: longer than the serial parts between two calls of a forward pass, short enough not to be
// noticed.
constexpr int kSpins = 4000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int worker = 1; worker < std::max(1, threads); ++worker) {
    workers_.emplace_back([this, worker] { Loop(worker); });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  ticket_.fetch_add(1, std::memory_order_release);
  ticket_.notify_all();
  for (std::thread& thread : workers_) thread.join();
}

void ThreadPool::Run(std::int64_t count, std::int64_t grain, void* context, Call call) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(1, grain);
  if (workers_.empty() || count <= grain) return call(context, 0, count, 0);
  context_ = context;
  call_ = call;
  count_ = count;
  grain_ = grain;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  ticket_.fetch_add(1, std::memory_order_release);
  ticket_.notify_all();
  Work(0);
  // The workers' writes are needed, so wait for all of them; they are computing, so spinning is right at
  // first.
  for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::Work(int worker) {
  while (true) {
    const std::int64_t begin = next_.fetch_add(grain_, std::memory_order_relaxed);
    if (begin >= count_) return;
    call_(context_, begin, std::min(begin + grain_, count_), worker);
  }
}

void ThreadPool::Loop(int worker) {
  NameThisThread("gptoss-compute");
  PinThisThread(worker);
  std::uint32_t seen = 0;
  while (true) {
    for (int spin = 0; spin < kSpins && ticket_.load(std::memory_order_acquire) == seen; ++spin) Pause();
    ticket_.wait(seen, std::memory_order_acquire);
    seen = ticket_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    Work(worker);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace gptoss
