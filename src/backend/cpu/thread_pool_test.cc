#include "backend/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <vector>

namespace gptoss {
namespace {

TEST(ThreadPool, EveryItemOnceForManyShapes) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t count : {0, 1, 5, 64, 1000}) {
      for (const std::int64_t grain : {1, 7, 64}) {
        std::vector<int> hits(static_cast<std::size_t>(count), 0);
        pool.ParallelFor(count, grain, [&](std::int64_t begin, std::int64_t end, int worker) {
          ASSERT_LT(worker, threads);
          for (std::int64_t i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
        });
        for (const int hit : hits) ASSERT_EQ(hit, 1);
      }
    }
  }
}

TEST(ThreadPool, ResultsAreVisibleAndPoolsWakeFromSleep) {
  ThreadPool pool(2);
  std::vector<std::int64_t> values(256, 0);
  for (int round = 0; round < 300; ++round) {
    if (round % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    pool.ParallelFor(256, 8, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) values[static_cast<std::size_t>(i)] += i;
    });
  }
  for (std::int64_t i = 0; i < 256; ++i) ASSERT_EQ(values[static_cast<std::size_t>(i)], 300 * i);
}

}  // namespace
}  // namespace gptoss
