#include "platform/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "base/file.h"
#include "platform/disk.h"
#include "platform/memory_pressure.h"
#include "platform/pressure_judge.h"
#include "platform/system.h"

namespace gptoss {
namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

// A sanitizer has an allocator and shadow memory of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

TEST(ResidentSplit, TellsTheHeapFromMappedFiles) {
  const ResidentSplit before = ResidentMemorySplit();
  ASSERT_GT(before.anonymous, 0u);
  ASSERT_GT(before.file, 0u);  // the program itself
  std::vector<char> heap(64 * kMegabyte, 1);
  const ResidentSplit with_heap = ResidentMemorySplit();
  EXPECT_GE(with_heap.anonymous, before.anonymous + 60 * kMegabyte);
  EXPECT_LT(with_heap.file, before.file + 30 * kMegabyte);

  std::string name = (std::filesystem::temp_directory_path() / "gptoss-map-XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::write(fd, heap.data(), heap.size()), static_cast<ssize_t>(heap.size()));
  ::close(fd);
  {
    const auto mapped = MappedFile::Open(name);
    ASSERT_TRUE(mapped);
    std::size_t sum = 0;
    for (std::size_t at = 0; at < heap.size(); at += 4096)
      sum += std::to_integer<std::size_t>((*mapped)->bytes()[at]);
    EXPECT_EQ(sum, heap.size() / 4096);
    const ResidentSplit with_file = ResidentMemorySplit();
    // A temporary folder in memory counts as shared.
    EXPECT_GE(with_file.file + with_file.shared, with_heap.file + with_heap.shared + 60 * kMegabyte);
    if (!kSanitized) {
      EXPECT_LT(with_file.anonymous, with_heap.anonymous + 30 * kMegabyte);
    }
  }
  ::unlink(name.c_str());
}

TEST(ReleaseFreeMemory, GivesFreedPagesBack) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator";
  // Small blocks stay with the allocator when they are freed; one at the end keeps its heap from shrinking.
  std::vector<std::unique_ptr<char[]>> blocks;
  for (int i = 0; i < 64 * 1024; ++i) {
    blocks.push_back(std::make_unique<char[]>(1024));
    std::memset(blocks.back().get(), 1, 1024);
  }
  const std::uint64_t full = ResidentMemorySplit().anonymous;
  auto last = std::move(blocks.back());
  blocks.clear();
  ReleaseFreeMemory();
  EXPECT_LT(ResidentMemorySplit().anonymous, full - 40 * kMegabyte);
  EXPECT_EQ(last[0], 1);
}

TEST(DiskSpace, IsThatOfTheNearestFolderThatExists) {
  const auto here = DiskSpaceFor(".");
  ASSERT_TRUE(here) << here.error().message;
  EXPECT_GT(here->total, 0u);
  EXPECT_LE(here->available, here->total);
  const auto below = DiskSpaceFor("./not/there/yet");
  ASSERT_TRUE(below) << below.error().message;
  EXPECT_EQ(below->total, here->total);
  EXPECT_TRUE(DiskSpaceFor("/not-there/at/all"));
}

TEST(PressureJudge, RisesAtOnceAndFallsAfterAQuietTime) {
  using std::chrono::seconds;
  PressureJudge judge;
  const PressureJudge::Clock::time_point start{};
  const PressureReading quiet{.total = 1000, .available = 500};
  PressureReading some = quiet, all = quiet, killed = quiet;
  some.some_stalled = all.all_stalled = killed.out_of_memory = true;
  EXPECT_EQ(judge.Judge(quiet, start), MemoryPressure::kNormal);
  EXPECT_EQ(judge.Judge(some, start + seconds(1)), MemoryPressure::kWarning);
  EXPECT_EQ(judge.Judge(all, start + seconds(2)), MemoryPressure::kCritical);
  EXPECT_EQ(judge.Judge(quiet, start + seconds(6)), MemoryPressure::kCritical);
  EXPECT_EQ(judge.Judge(some, start + seconds(7)), MemoryPressure::kWarning);
  EXPECT_EQ(judge.Judge(quiet, start + seconds(11)), MemoryPressure::kWarning);
  EXPECT_EQ(judge.Judge(quiet, start + seconds(12)), MemoryPressure::kNormal);
  EXPECT_EQ(judge.Judge(killed, start + seconds(13)), MemoryPressure::kCritical);
}

TEST(PressureJudge, LittleAvailableMemoryIsPressureToo) {
  const PressureJudge::Clock::time_point now{};
  EXPECT_EQ(PressureJudge().Judge({.total = 1200, .available = 101}, now), MemoryPressure::kNormal);
  EXPECT_EQ(PressureJudge().Judge({.total = 1200, .available = 99}, now), MemoryPressure::kWarning);
  EXPECT_EQ(PressureJudge().Judge({.total = 1200, .available = 30}, now), MemoryPressure::kCritical);
  EXPECT_EQ(PressureJudge().Judge({}, now), MemoryPressure::kNormal);
}

// Plays levels; Wait lasts until the next one is given or it is woken.
class PlayedSource : public MemoryPressureSource {
 public:
  MemoryPressure Wait(std::chrono::milliseconds) override {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [this] { return woken_ || !levels_.empty(); });
    woken_ = false;
    if (!levels_.empty()) {
      level_ = levels_.front();
      levels_.pop_front();
    }
    return level_;
  }
  void Wake() override {
    std::lock_guard lock(mutex_);
    woken_ = true;
    news_.notify_all();
  }
  void Play(MemoryPressure level) {
    std::lock_guard lock(mutex_);
    levels_.push_back(level);
    news_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<MemoryPressure> levels_;
  MemoryPressure level_ = MemoryPressure::kNormal;
  bool woken_ = false;
};

// What a listener heard, for another thread to wait for.
class Heard {
 public:
  void operator()(MemoryPressure level) {
    std::lock_guard lock(mutex_);
    levels_.push_back(level);
    news_.notify_all();
  }
  std::vector<MemoryPressure> WaitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [&] { return levels_.size() >= count; });
    return levels_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<MemoryPressure> levels_;
};

TEST(MemoryPressureMonitor, TellsEveryChangeOnceAndInOrder) {
  auto owned = std::make_unique<PlayedSource>();
  PlayedSource& source = *owned;
  Heard first, late;
  MemoryPressureMonitor monitor(std::move(owned));
  EXPECT_EQ(monitor.level(), MemoryPressure::kNormal);
  monitor.AddListener([&](MemoryPressure level) { first(level); });
  for (const auto level : {MemoryPressure::kNormal, MemoryPressure::kWarning, MemoryPressure::kWarning,
                           MemoryPressure::kCritical, MemoryPressure::kCritical})
    source.Play(level);
  EXPECT_EQ(first.WaitFor(2), (std::vector{MemoryPressure::kWarning, MemoryPressure::kCritical}));
  EXPECT_EQ(monitor.level(), MemoryPressure::kCritical);
  // Who comes while the level is up is told.
  monitor.AddListener([&](MemoryPressure level) { late(level); });
  EXPECT_EQ(late.WaitFor(1), std::vector{MemoryPressure::kCritical});
  source.Play(MemoryPressure::kNormal);
  EXPECT_EQ(first.WaitFor(3).back(), MemoryPressure::kNormal);
  EXPECT_EQ(late.WaitFor(2).back(), MemoryPressure::kNormal);
}

TEST(MemoryPressureMonitor, ARemovedListenerIsNotCalledAndMayRemoveItself) {
  auto owned = std::make_unique<PlayedSource>();
  PlayedSource& source = *owned;
  Heard heard, once;
  MemoryPressureMonitor monitor(std::move(owned));
  int self = -1;
  std::mutex self_mutex;
  {
    std::lock_guard lock(self_mutex);
    self = monitor.AddListener([&](MemoryPressure level) {
      std::lock_guard inner(self_mutex);
      monitor.RemoveListener(self);
      once(level);
    });
  }
  auto gone = std::make_unique<Heard>();
  const int id = monitor.AddListener([pointer = gone.get()](MemoryPressure level) { (*pointer)(level); });
  monitor.AddListener([&](MemoryPressure level) { heard(level); });
  source.Play(MemoryPressure::kWarning);
  heard.WaitFor(1);
  monitor.RemoveListener(id);
  gone.reset();  // a call after this would be found by a sanitizer
  source.Play(MemoryPressure::kCritical);
  heard.WaitFor(2);
  EXPECT_EQ(once.WaitFor(1), std::vector{MemoryPressure::kWarning});
}

TEST(MemoryPressureMonitor, EndsWhileListenersComeAndGo) {
  for (int round = 0; round < 20; ++round) {
    auto owned = std::make_unique<PlayedSource>();
    PlayedSource& source = *owned;
    MemoryPressureMonitor monitor(std::move(owned));
    std::thread player([&] {
      for (int i = 0; i < 50; ++i)
        source.Play(i % 2 == 0 ? MemoryPressure::kWarning : MemoryPressure::kNormal);
    });
    std::thread others([&] {
      for (int i = 0; i < 50; ++i) {
        int value = 0;
        const int id = monitor.AddListener([&value](MemoryPressure) { ++value; });
        monitor.RemoveListener(id);
      }
    });
    player.join();
    others.join();
  }
}

TEST(SystemMemoryPressureSource, AnswersAndCanBeWoken) {
  const auto source = SystemMemoryPressureSource();
  source->Wake();
  const MemoryPressure level = source->Wait(std::chrono::hours(1));  // returns: it was woken before
  EXPECT_FALSE(MemoryPressureName(level).empty());
  std::thread waker([&] { source->Wake(); });
  source->Wait(std::chrono::milliseconds(1000));
  waker.join();
  MemoryPressureMonitor monitor;  // the real one starts and ends
}

}  // namespace
}  // namespace gptoss
