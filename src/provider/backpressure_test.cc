// Readers that sleep: their own generation waits, and nothing else does.
#include <gtest/gtest.h>

#include <thread>

#include "platform/memory.h"
#include "provider/agent_provider.h"
#include "provider/testing/provider_fixture.h"

namespace gptoss {
namespace {

using namespace std::chrono_literals;
using testing::ProviderTest;
using testing::Reader;

TEST_F(ProviderTest, ASleepingReaderStopsItsOwnGenerationOnly) {
  SayForEver();
  options_.buffer_chunks = 8;
  Start();
  const SessionId slow = provider_->StartSession().value(), fast = provider_->StartSession().value();
  Reader asleep, awake;
  asleep.Block(true);
  ASSERT_TRUE(provider_->Stream(slow, "a", {}, asleep.on_chunk(), asleep.on_done()));
  EXPECT_EQ(asleep.WaitForChunks(1), 1U);
  StreamOptions short_one;
  short_one.max_tokens = 200;
  EXPECT_EQ(Turn(fast, short_one, &awake).end, TurnEnd::kMaxTokens);
  // The engine has gone no further for the sleeper than its buffer allows: the other one's rows are all there
  // are since.
  const std::int64_t rows = control_->backend->rows;
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(control_->backend->rows, rows);
  EXPECT_EQ(asleep.chunks().size(), 1U);
  provider_->Cancel(slow);
  asleep.Block(false);
  EXPECT_EQ(asleep.Wait().end, TurnEnd::kCancelled);
  EXPECT_LE(asleep.chunks().size(), 1U + 8 + 2);
}

// A reader that never reads, for as long as others take for many thousands of chunks: its generation stands
// still and memory stays flat. What is waited for are counts, never a time.
TEST_F(ProviderTest, AReaderThatNeverReadsCostsNothingHoweverLong) {
  SayForEver();
  control_->backend->per_row = 0us;
  options_.buffer_chunks = 64;
  Start();
  const SessionId stuck = provider_->StartSession().value();
  Reader never;
  never.Block(true);
  ASSERT_TRUE(provider_->Stream(stuck, "a", {}, never.on_chunk(), never.on_done()));
  EXPECT_EQ(never.WaitForChunks(1), 1U);
  StreamOptions long_one;
  long_one.max_tokens = 2000;
  const auto others = [&](int turns) {
    for (int i = 0; i < turns; ++i) {
      Reader awake;
      const SessionId session = provider_->StartSession().value();
      EXPECT_EQ(Turn(session, long_one, &awake).end, TurnEnd::kMaxTokens);
      EXPECT_GT(awake.chunks().size(), 1900U);
      provider_->EndSession(session);
    }
  };
  others(2);  // by then the stuck one has filled its buffer, and the allocator is warm
  const std::int64_t calls = control_->backend->calls, rows = control_->backend->rows;
  const std::uint64_t memory = ResidentMemorySplit().anonymous;
  others(10);
  // Each call of the backend had a row of the one that reads, or the rows of its prompt, and none of the
  // other.
  const std::int64_t prompts = (control_->backend->rows - rows) - (control_->backend->calls - calls);
  EXPECT_GE(control_->backend->rows - rows, 10 * 2000);
  EXPECT_LT(prompts, 10 * 100);
  EXPECT_LE(ResidentMemorySplit().anonymous, memory + 4'000'000);
  EXPECT_EQ(never.chunks().size(), 1U);
  never.Block(false);  // it was alive all the time
  EXPECT_GE(never.WaitForChunks(1000), 1000U);
  never.Block(true);
  provider_->Cancel(stuck);
  never.Block(false);
  EXPECT_EQ(never.Wait().end, TurnEnd::kCancelled);
}

}  // namespace
}  // namespace gptoss
