#include "engine/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "engine/testing/fake_backend.h"

namespace gptoss {
namespace {

using namespace std::chrono_literals;
using testing::FakeBackend;
using testing::FakeControl;
using Ids = std::vector<std::int32_t>;

constexpr std::int64_t kVocab = 97;

Ids Range(std::int32_t from, std::int32_t count) {
  Ids ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), from);
  for (std::int32_t& id : ids) id %= static_cast<std::int32_t>(kVocab);
  return ids;
}

SamplingOptions Greedy() { return {.temperature = 0, .seed = 1}; }

struct Outcome {
  Ids ids;
  GenerationStats stats;
};

Outcome Drain(TokenStream& stream) {
  Outcome outcome;
  while (const auto id = stream.Next()) outcome.ids.push_back(*id);
  outcome.stats = stream.stats();
  return outcome;
}

class EngineTest : public ::testing::Test {
 protected:
  void Start(const EngineOptions& options = {}, std::int64_t context = 2000) {
    if (!control_->logits) control_->logits = testing::CountingLogits;
    engine_ = Engine::Create(std::make_unique<FakeBackend>(control_, kVocab, context), options).value();
  }
  void TearDown() override {
    engine_.reset();
    EXPECT_EQ(control_->live_sequences, 0);
    EXPECT_FALSE(control_->wrong_thread);
  }
  std::unique_ptr<TokenStream> Submit(GenerationRequest request) {
    return engine_->Submit(std::move(request)).value();
  }
  Outcome Generate(std::string key, Ids prompt, std::int64_t max_tokens,
                   SamplingOptions sampling = Greedy()) {
    return Drain(*Submit({.conversation = std::move(key),
                          .prompt = std::move(prompt),
                          .sampling = sampling,
                          .stop_ids = {},
                          .max_tokens = max_tokens,
                          .cancel = {}}));
  }
  // Waits for something that another thread brings about; false after 5 s.
  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
    return condition();
  }

  std::shared_ptr<FakeControl> control_ = std::make_shared<FakeControl>();
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, GreedyFollowsTheArgmaxAndStopsAtTheLimit) {
  Start();
  const Outcome outcome = Generate("", {5, 6, 7}, 4);
  EXPECT_EQ(outcome.ids, (Ids{8, 9, 10, 11}));
  EXPECT_EQ(outcome.stats.stop, StopReason::kMaxTokens);
  EXPECT_EQ(outcome.stats.prompt_tokens, 3);
  EXPECT_EQ(outcome.stats.generated_tokens, 4);
  EXPECT_EQ(outcome.stats.reused_tokens, 0);
  EXPECT_EQ(control_->rows, 3 + 3);  // the last sampled id is not fed
  EXPECT_GT(outcome.stats.first_token_seconds, 0);
}

TEST_F(EngineTest, StopIdsAreDeliveredAndEnd) {
  Start();
  const Outcome outcome = Drain(*Submit({.conversation = "",
                                         .prompt = {5},
                                         .sampling = Greedy(),
                                         .stop_ids = {50, 8},
                                         .max_tokens = 0,
                                         .cancel = {}}));
  EXPECT_EQ(outcome.ids, (Ids{6, 7, 8}));
  EXPECT_EQ(outcome.stats.stop, StopReason::kStopToken);
}

TEST_F(EngineTest, TheContextLimitIsTold) {
  Start({.context_tokens = 10});
  EXPECT_EQ(engine_->context_tokens(), 10);
  const Outcome outcome = Generate("", Range(0, 7), 0);
  EXPECT_EQ(outcome.ids, (Ids{7, 8, 9}));
  EXPECT_EQ(outcome.stats.stop, StopReason::kContextLimit);
  const auto full = engine_->Submit({.prompt = Range(0, 10)});
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::kOutOfRange);
}

TEST_F(EngineTest, BadRequestsAreRefusedAtOnce) {
  Start();
  for (GenerationRequest request : {GenerationRequest{}, GenerationRequest{.prompt = {1, -1}},
                                    GenerationRequest{.prompt = {static_cast<std::int32_t>(kVocab)}},
                                    GenerationRequest{.prompt = {1}, .sampling = {.temperature = -1}},
                                    GenerationRequest{.prompt = {1}, .max_tokens = -1}}) {
    const auto refused = engine_->Submit(std::move(request));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(control_->calls, 0);
}

TEST_F(EngineTest, BadOptionsAreRefused) {
  control_->logits = testing::CountingLogits;
  for (const EngineOptions& options : {EngineOptions{.context_tokens = 2001},
                                       EngineOptions{.context_tokens = -1}, EngineOptions{.prefill_chunk = 0},
                                       EngineOptions{.stream_capacity = 0}, EngineOptions{.max_active = 0}}) {
    EXPECT_FALSE(Engine::Create(std::make_unique<FakeBackend>(control_, kVocab, 2000), options).has_value());
  }
  EXPECT_FALSE(Engine::Create(nullptr).has_value());
}

TEST_F(EngineTest, TheSameSeedGivesTheSameTokensAndAnotherOneOthers) {
  control_->logits = testing::HashLogits;
  Start();
  SamplingOptions sampling;
  sampling.seed = 42;
  const Outcome a = Generate("", {1, 2, 3}, 40, sampling), b = Generate("x", {1, 2, 3}, 40, sampling);
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.stats.seed, 42U);
  sampling.seed = 43;
  EXPECT_NE(Generate("", {1, 2, 3}, 40, sampling).ids, a.ids);
  sampling.seed.reset();
  const Outcome fresh = Generate("", {1, 2, 3}, 40, sampling);
  sampling.seed = fresh.stats.seed;  // the reported seed repeats it
  EXPECT_EQ(Generate("", {1, 2, 3}, 40, sampling).ids, fresh.ids);
}

TEST_F(EngineTest, CompanyDoesNotChangeTheTokens) {
  control_->logits = testing::HashLogits;
  control_->per_row = 50us;
  Start({.prefill_chunk = 5});
  SamplingOptions sampling;
  std::vector<Outcome> alone;
  for (std::uint64_t i = 0; i < 4; ++i) {
    sampling.seed = i;
    alone.push_back(Generate("", Range(static_cast<std::int32_t>(i), 13), 30, sampling));
  }
  const std::int64_t calls_alone = control_->calls;
  control_->calls = 0;
  std::vector<std::unique_ptr<TokenStream>> streams;
  for (std::uint64_t i = 0; i < 4; ++i) {
    sampling.seed = i;
    streams.push_back(Submit({.conversation = "",
                              .prompt = Range(static_cast<std::int32_t>(i), 13),
                              .sampling = sampling,
                              .stop_ids = {},
                              .max_tokens = 30,
                              .cancel = {}}));
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(Drain(*streams[i]).ids, alone[i].ids);
  EXPECT_LT(control_->calls, calls_alone * 2 / 3);  // decoded together
}

TEST_F(EngineTest, AnExtendedPromptCostsOnlyItsNewTokens) {
  Start();
  Generate("chat", Range(0, 30), 5);  // has read 0..29 and 30..33; 34 was sampled and not fed
  control_->rows = 0;
  const Outcome next = Generate("chat", Range(0, 40), 1);
  EXPECT_EQ(next.stats.reused_tokens, 34);
  EXPECT_EQ(control_->rows, 6);
  EXPECT_EQ(next.ids, Ids{40});
  EXPECT_EQ(Generate("other", Range(0, 40), 1).stats.reused_tokens, 0);
  EXPECT_EQ(Generate("", Range(0, 40), 1).stats.reused_tokens, 0);
}

TEST_F(EngineTest, ARepeatedPromptFeedsItsLastTokenAgain) {
  Start();
  EXPECT_EQ(Generate("chat", Range(0, 30), 1).ids, Ids{30});
  const Outcome again = Generate("chat", Range(0, 30), 1);
  EXPECT_EQ(again.stats.reused_tokens, 29);
  EXPECT_EQ(again.ids, Ids{30});
}

TEST_F(EngineTest, ADroppedReasoningGoesBackToTheEndOfThePrompt) {
  control_->logits = testing::HashLogits;
  Start();
  Generate("chat", Range(0, 30), 40);  // far beyond what the fake's ring can take back
  Ids next = Range(0, 30);
  next.insert(next.end(), {90, 91, 92});
  const Outcome outcome = Generate("chat", next, 10);
  EXPECT_EQ(outcome.stats.reused_tokens, 30);
  EXPECT_EQ(outcome.ids, Generate("", next, 10).ids);
}

TEST_F(EngineTest, WithoutABoundaryThePromptIsReadAgain) {
  control_->logits = testing::HashLogits;
  Start();
  Generate("chat", Range(0, 60), 3);
  Ids next = Range(0, 20);
  next.push_back(90);
  const Outcome outcome = Generate("chat", next, 10);
  EXPECT_EQ(outcome.stats.reused_tokens, 0);
  EXPECT_EQ(outcome.ids, Generate("", next, 10).ids);
}

TEST_F(EngineTest, TheLeastRecentlyUsedConversationIsDropped) {
  Start({.max_conversations = 2});
  Generate("a", Range(0, 10), 1);
  Generate("b", Range(0, 10), 1);
  Generate("a", Range(0, 12), 1);
  Generate("c", Range(0, 10), 1);  // drops b
  EXPECT_EQ(control_->live_sequences, 2);
  EXPECT_GT(Generate("a", Range(0, 14), 1).stats.reused_tokens, 0);
  EXPECT_EQ(Generate("b", Range(0, 12), 1).stats.reused_tokens, 0);
  engine_->ForgetConversation("a");
  EXPECT_TRUE(Eventually([&] { return control_->live_sequences == 1; }));
  EXPECT_EQ(Generate("a", Range(0, 14), 1).stats.reused_tokens, 0);
}

TEST_F(EngineTest, OneConversationHasOneWriterInOrder) {
  control_->per_row = 200us;
  Start();
  auto first = Submit({"chat", Range(0, 20), Greedy(), {}, 20, {}});
  auto second = Submit({"chat", Range(0, 45), Greedy(), {}, 5, {}});
  const Outcome b = Drain(*second), a = Drain(*first);
  EXPECT_EQ(a.ids, Range(20, 20));
  EXPECT_EQ(b.stats.reused_tokens, 39);  // all that the first had read
  EXPECT_EQ(control_->created, 1);
}

TEST_F(EngineTest, CancelDuringPrefillTakesEffectWithinTheChunk) {
  control_->per_row = 2ms;
  Start({.prefill_chunk = 32}, 2000);
  CancelSource cancel;
  auto stream = Submit({"chat", Range(0, 1000), Greedy(), {}, 0, cancel.token()});
  std::thread canceller([&] {
    Eventually([&] { return control_->rows >= 10; });
    cancel.Cancel();
  });
  const Outcome outcome = Drain(*stream);
  canceller.join();
  EXPECT_TRUE(outcome.ids.empty());
  EXPECT_EQ(outcome.stats.stop, StopReason::kCancelled);
  EXPECT_LT(control_->rows, 200);  // of 1,000
}

TEST_F(EngineTest, CancelDuringDecodeTakesEffectWithinAToken) {
  control_->per_row = 2ms;
  Start();
  CancelSource cancel;
  auto stream = Submit({"", {1}, Greedy(), {}, 0, cancel.token()});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(stream->Next().has_value());
  cancel.Cancel();
  const std::int64_t rows = control_->rows;
  const Outcome outcome = Drain(*stream);
  EXPECT_EQ(outcome.stats.stop, StopReason::kCancelled);
  EXPECT_LE(control_->rows, rows + 2);  // the one under way and one that raced
}

TEST_F(EngineTest, CancelledWhileWaitingIsToldSo) {
  control_->per_row = 1ms;
  Start({.max_active = 1});
  auto running = Submit({"", {1}, Greedy(), {}, 300, {}});
  CancelSource cancel;
  auto waiting = Submit({"", {1}, Greedy(), {}, 300, cancel.token()});
  cancel.Cancel();
  const Outcome outcome = Drain(*waiting);
  EXPECT_EQ(outcome.stats.stop, StopReason::kCancelled);
  EXPECT_TRUE(outcome.ids.empty());
}

TEST_F(EngineTest, ASlowReaderPausesAloneAndLosesNothing) {
  Start({.stream_capacity = 4});
  auto slow = Submit({"slow", {1}, Greedy(), {}, 50, {}});
  ASSERT_TRUE(Eventually([&] { return control_->rows >= 5; }));
  const Outcome other = Generate("fast", {10}, 500);
  EXPECT_EQ(other.ids.size(), 500U);
  EXPECT_LE(control_->rows, 500 + 6);  // the slow one stands still
  EXPECT_EQ(Drain(*slow).ids, Range(2, 50));
}

TEST_F(EngineTest, APausedGenerationCanBeCancelledAndDropped) {
  Start({.stream_capacity = 2});
  CancelSource cancel;
  auto paused = Submit({"", {1}, Greedy(), {}, 0, cancel.token()});
  ASSERT_TRUE(Eventually([&] { return control_->rows >= 3; }));
  cancel.Cancel();
  ASSERT_TRUE(Eventually([&] { return control_->live_sequences == 0; }));
  const Outcome outcome = Drain(*paused);
  EXPECT_EQ(outcome.ids, (Ids{2, 3}));
  EXPECT_EQ(outcome.stats.stop, StopReason::kCancelled);
  auto dropped = Submit({"", {1}, Greedy(), {}, 0, {}});
  dropped.reset();
  EXPECT_TRUE(Eventually([&] { return control_->live_sequences == 0; }));
}

TEST_F(EngineTest, OnlyTheOneAtFaultFailsAndTheEngineLivesOn) {
  control_->before = [](std::span<const BatchRow> rows) -> Status {
    for (const BatchRow& row : rows) {
      if (row.token == 66) return Fail(ErrorCode::kInternal, "66 is poison");
    }
    return {};
  };
  control_->per_row = 100us;
  Start();
  auto good = Submit({"good", {1}, Greedy(), {}, 60, {}});
  auto bad = Submit({"bad", {50}, Greedy(), {}, 60, {}});
  const Outcome failed = Drain(*bad);
  EXPECT_EQ(failed.ids, Range(51, 16));
  EXPECT_EQ(failed.stats.stop, StopReason::kError);
  ASSERT_TRUE(failed.stats.error.has_value());
  EXPECT_EQ(failed.stats.error->message, "66 is poison");
  EXPECT_EQ(Drain(*good).ids, Range(2, 60));
  EXPECT_EQ(Generate("bad", {3}, 3).ids, (Ids{4, 5, 6}));
}

TEST_F(EngineTest, ShortMemoryDropsIdleConversationsFirstThenAdvises) {
  // Shared: the engine's thread may still ask when the test's own variables are gone.
  const auto tight = std::make_shared<std::atomic<bool>>(false);
  control_->before = [this, tight](std::span<const BatchRow>) -> Status {
    if (*tight && control_->live_sequences > 1) return Fail(ErrorCode::kResourceExhausted, "no memory");
    return {};
  };
  Start({.memory_wait = 50ms});
  Generate("a", {1}, 2);
  *tight = true;
  EXPECT_EQ(Generate("b", {1}, 2).ids, (Ids{2, 3}));  // at the cost of a
  auto one = Submit({"b", {1}, Greedy(), {}, 0, {}});
  ASSERT_TRUE(one->Next().has_value());
  const Outcome refused = Generate("c", {1}, 2);
  EXPECT_EQ(refused.stats.stop, StopReason::kError);
  ASSERT_TRUE(refused.stats.error.has_value());
  EXPECT_EQ(refused.stats.error->code, ErrorCode::kResourceExhausted);
  EXPECT_NE(refused.stats.error->message.find("smaller context"), std::string::npos);
}

TEST_F(EngineTest, WhoFindsNoMemoryWaitsForAnotherToEnd) {
  control_->before = [this](std::span<const BatchRow> rows) -> Status {
    // Only the first conversation (token ids below 40) may run while there are two.
    for (const BatchRow& row : rows) {
      if (row.token >= 60 && control_->live_sequences > 1)
        return Fail(ErrorCode::kResourceExhausted, "no memory");
    }
    return {};
  };
  Start();
  auto first = Submit({"first", {1}, Greedy(), {}, 30, {}});
  auto second = Submit({"second", {60}, Greedy(), {}, 5, {}});
  EXPECT_EQ(Drain(*first).ids, Range(2, 30));
  const Outcome waited = Drain(*second);
  EXPECT_EQ(waited.ids, Range(61, 5));
  EXPECT_FALSE(waited.stats.error.has_value());
}

TEST_F(EngineTest, IdleConversationsCanBeDropped) {
  Start();
  Generate("a", {1}, 2);
  Generate("b", {1}, 2);
  EXPECT_EQ(control_->live_sequences, 2);
  engine_->DropIdleConversations();
  EXPECT_TRUE(Eventually([&] { return control_->live_sequences == 0; }));
  EXPECT_EQ(Generate("a", {1}, 2).stats.reused_tokens, 0);
}

TEST_F(EngineTest, LogitsWithoutANumberAreAnError) {
  control_->logits = [](const Ids&, std::span<float> logits) {
    for (float& logit : logits) logit = std::nanf("");
  };
  Start();
  const Outcome outcome = Generate("", {1}, 5);
  EXPECT_EQ(outcome.stats.stop, StopReason::kError);
  EXPECT_EQ(outcome.stats.error->code, ErrorCode::kDataLoss);
}

TEST_F(EngineTest, TheDestructorEndsWhatRunsAndStreamsOutliveIt) {
  control_->per_row = 5ms;
  Start({.prefill_chunk = 32});
  auto a = Submit({"", Range(0, 1000), Greedy(), {}, 0, {}});
  auto b = Submit({"same", {1}, Greedy(), {}, 0, {}});
  auto c = Submit({"same", {1}, Greedy(), {}, 0, {}});
  ASSERT_TRUE(b->Next().has_value());
  const auto start = std::chrono::steady_clock::now();
  engine_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1s);
  for (TokenStream* stream : {a.get(), b.get(), c.get()}) {
    EXPECT_EQ(Drain(*stream).stats.stop, StopReason::kCancelled);
  }
}

TEST_F(EngineTest, ManyThreadsSubmitReadCancelAndDrop) {
  control_->logits = testing::HashLogits;
  Start({.prefill_chunk = 7, .stream_capacity = 3, .max_conversations = 2, .max_active = 4});
  const Outcome want = Generate("", Range(0, 20), 25);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 15; ++i) {
        CancelSource cancel;
        auto stream =
            engine_->Submit({t % 2 == 0 ? "" : "shared", Range(0, 20), Greedy(), {}, 25, cancel.token()});
        if (!stream) {
          ++wrong;
        } else if (i % 3 == 1) {
          (*stream)->Next();
          stream->reset();
        } else if (i % 3 == 2) {
          (*stream)->Next();
          cancel.Cancel();
          Drain(**stream);
        } else if (Drain(**stream).ids != want.ids) {
          ++wrong;
        }
        if (i % 5 == 0) engine_->ForgetConversation("shared");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(EngineTest, TooManyWaitingRequestsAreRefused) {
  control_->per_row = 1ms;
  Start();
  std::vector<std::unique_ptr<TokenStream>> streams;
  for (int i = 0; i < 256; ++i) streams.push_back(Submit({"chat", {1}, Greedy(), {}, 0, {}}));
  const auto refused = engine_->Submit({"chat", {1}, Greedy(), {}, 0, {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace gptoss
