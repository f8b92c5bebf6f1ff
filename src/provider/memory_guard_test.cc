#include "provider/memory_guard.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "provider/generation.h"
#include "provider/stop_strings.h"

namespace gptoss {
namespace {

constexpr std::uint64_t kGb = 1'000'000'000;

// gpt-oss-20b's shape; weights are only counted, so there need be none.
Model Twenty() {
  Model model;
  ModelConfig& c = model.config;
  c.layers = 24, c.hidden = 2880, c.heads = 64, c.kv_heads = 8, c.head_dim = 64, c.experts = 32;
  c.experts_per_token = 4, c.expert_width = 2880, c.vocab = 201088, c.window = 128, c.max_context = 131072;
  for (int i = 0; i < 24; ++i)
    c.layer_types.push_back(i % 2 == 0 ? LayerType::kSlidingWindow : LayerType::kFull);
  model.weight_bytes = 12'025'908'224;
  model.name = "gpt-oss-20b";
  return model;
}

MemoryVerdict Ask(std::int64_t context, MemoryInfo machine, MemoryRules rules = {}) {
  return Preflight(Twenty(), {.threads = 2}, context, rules, machine, 40'000'000);
}

TEST(MemoryGuardTest, TheEstimateOfTheDemoIsWhatItsBackendTakes) {
  const Checkpoint demo = OpenDemoCheckpoint().value();
  for (const bool precise : {false, true}) {
    const CpuBackendOptions options{.threads = 2, .precise = precise};
    const auto backend = CreateCpuBackend(demo.model, options).value();
    const BackendMemory estimate = EstimateCpuMemory(*demo.model, options, 600, 1);
    EXPECT_EQ(estimate.weights, backend->memory().weights);
    EXPECT_EQ(estimate.scratch, backend->memory().scratch);
    // One sequence, filled to its end with a boundary behind every 100 tokens.
    const SequenceId sequence = backend->CreateSequence(600).value();
    for (int i = 0; i < 6; ++i) {
      const std::vector<BatchRow> rows(100, {sequence, 5, false});
      ASSERT_TRUE(backend->Forward(rows, {}, {}));
      backend->MarkBoundary(sequence);
    }
    const std::uint64_t kv = backend->memory().kv;
    EXPECT_LE(kv, estimate.kv);
    EXPECT_GT(static_cast<double>(kv), 0.9 * static_cast<double>(estimate.kv));
  }
}

TEST(MemoryGuardTest, TwentyBillionAtFourThousandTokens) {
  const MemoryEstimate estimate = EstimateMemory(Twenty(), {.threads = 2}, 4096, 1, 0);
  // 24 KB a token in the full layers (docs of the model), rings and snapshots of the window layers beside it:
  // a window of 128 touches up to three blocks of 64.
  EXPECT_NEAR(static_cast<double>(estimate.kv), 4096 * 24576 + 12 * 640 * 2048 + 6 * 12 * 192 * 2048, 1e6);
  EXPECT_LT(estimate.total() - estimate.weights, 600'000'000U);
}

TEST(MemoryGuardTest, GoesWhereThereIsRoom) {
  const MemoryVerdict verdict = Ask(131072, {.total = 32 * kGb, .available = 30 * kGb});
  EXPECT_EQ(verdict.answer, MemoryVerdict::Answer::kGo);
  EXPECT_EQ(verdict.context, 131072);
  EXPECT_EQ(verdict.warning, "");
}

TEST(MemoryGuardTest, AContextThatDoesNotFitShrinksToOneThatDoes) {
  const MemoryVerdict verdict = Ask(131072, {.total = 32 * kGb, .available = 14 * kGb});
  ASSERT_EQ(verdict.answer, MemoryVerdict::Answer::kSmallerContext);
  EXPECT_GE(verdict.context, 4096);
  EXPECT_LT(verdict.context, 131072);
  EXPECT_LE(verdict.estimate.total(), verdict.limit);
  // No larger one would have fitted.
  EXPECT_GT(EstimateMemory(Twenty(), {.threads = 2}, verdict.context + 1024, 1, 40'000'000).total(),
            verdict.limit);
  EXPECT_NE(verdict.warning.find(std::to_string(verdict.context)), std::string::npos);
}

TEST(MemoryGuardTest, AQuantizedCacheIsAdvisedWhereItHelps) {
  const MemoryVerdict wide = Ask(131072, {.total = 32 * kGb, .available = 14 * kGb});
  const auto at = wide.warning.find("with memory.kv_bits = 8 it is ");
  ASSERT_NE(at, std::string::npos) << wide.warning;
  // What is promised is what comes when it is set.
  const MemoryVerdict eight = Preflight(Twenty(), {.threads = 2, .kv_bits = 8}, 131072, {},
                                        {.total = 32 * kGb, .available = 14 * kGb}, 40'000'000);
  EXPECT_GT(eight.context, wide.context);
  EXPECT_NE(wide.warning.find(std::to_string(eight.context) + " tokens", at), std::string::npos);
  EXPECT_EQ(eight.warning.find("kv_bits"), std::string::npos) << eight.warning;
  // Room for the smallest context with 8 bits alone.
  const std::uint64_t needs =
      EstimateMemory(Twenty(), {.threads = 2, .kv_bits = 8}, 65536, 1, 40'000'000).total();
  const MemoryVerdict no = Ask(65536, {.total = 32 * kGb, .available = 30 * kGb},
                               {.bound = needs + 1'000'000, .smallest_context = 65536});
  ASSERT_EQ(no.answer, MemoryVerdict::Answer::kNo);
  EXPECT_NE(no.advice.find("with memory.kv_bits = 8 it fits with 65536 tokens"), std::string::npos)
      << no.advice;
  // Nowhere near: nothing of the kind is promised.
  EXPECT_EQ(Ask(4096, {.total = 32 * kGb, .available = 9 * kGb}).advice.find("kv_bits"), std::string::npos);
}

TEST(MemoryGuardTest, SaysNoWithNumbersAndAdvice) {
  const MemoryVerdict verdict = Ask(4096, {.total = 32 * kGb, .available = 9 * kGb});
  ASSERT_EQ(verdict.answer, MemoryVerdict::Answer::kNo);
  EXPECT_EQ(verdict.context, 0);
  EXPECT_NE(verdict.advice.find("close applications that hold 3.9 GB"), std::string::npos) << verdict.advice;
}

TEST(MemoryGuardTest, TheFloorAndTheAdviceAreSettings) {
  const MemoryInfo small{.total = 12 * kGb, .available = 12 * kGb};
  EXPECT_NE(Ask(4096, small).advice.find("memory.floor"), std::string::npos);
  EXPECT_EQ(Ask(4096, {.total = 15 * kGb, .available = 15 * kGb}, {.floor_total = 8 * kGb}).answer,
            MemoryVerdict::Answer::kGo);
  const MemoryVerdict tight = Ask(4096, {.total = 17 * kGb, .available = 15 * kGb});
  EXPECT_EQ(tight.answer, MemoryVerdict::Answer::kGo);
  EXPECT_NE(tight.warning.find("24.0 GB is advised"), std::string::npos) << tight.warning;
}

TEST(MemoryGuardTest, ABoundHoldsEvenWhereMoreIsFree) {
  const MemoryInfo machine{.total = 64 * kGb, .available = 60 * kGb};
  EXPECT_EQ(Ask(131072, machine, {.bound = 13 * kGb}).answer, MemoryVerdict::Answer::kSmallerContext);
  const MemoryVerdict no = Ask(131072, machine, {.bound = 5 * kGb});
  EXPECT_EQ(no.answer, MemoryVerdict::Answer::kNo);
  EXPECT_NE(no.advice.find("memory.bound"), std::string::npos) << no.advice;
}

TEST(MemoryGuardTest, ASystemThatDoesNotSayStopsNobody) {
  EXPECT_EQ(Ask(131072, {}).answer, MemoryVerdict::Answer::kGo);
}

TEST(MemoryGuardTest, TheBoundOfAllContextsIsKept) {
  const Checkpoint demo = OpenDemoCheckpoint().value();
  CpuBackendOptions options{.threads = 1};
  options.kv_bound_bytes = EstimateCpuMemory(*demo.model, options, 256, 1).kv;
  const auto backend = CreateCpuBackend(demo.model, options).value();
  const SequenceId sequence = backend->CreateSequence(2000).value();
  Status status;
  std::int64_t length = 0;
  for (; status && length < 2000; length += 50)
    status = backend->Forward(std::vector<BatchRow>(50, {sequence, 5}), {}, {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kResourceExhausted);
  EXPECT_LE(backend->memory().kv, options.kv_bound_bytes);
  EXPECT_EQ(backend->Length(sequence), length - 50);  // the refused rows changed nothing
}

TEST(StopStringsTest, FoundAcrossPieces) {
  StopStrings stops({"END", "\n\n"});
  EXPECT_EQ(stops.Push("one E"), "one ");
  EXPECT_EQ(stops.Push("N"), "");
  EXPECT_EQ(stops.Push("TER \n"), "ENTER ");
  EXPECT_EQ(stops.Push("two\n"), "\ntwo");
  EXPECT_EQ(stops.Push("\nthree"), "");
  EXPECT_TRUE(stops.found());
  EXPECT_EQ(stops.Push("more"), "");
  EXPECT_EQ(stops.Finish(), "");
}

TEST(StopStringsTest, WhatWasHeldBackComesAtTheEnd) {
  StopStrings stops({"END"});
  EXPECT_EQ(stops.Push("the EN"), "the ");
  EXPECT_EQ(stops.Finish(), "EN");
  EXPECT_FALSE(stops.found());
}

// Whatever the pieces, the text is what comes before the first stop string.
TEST(StopStringsTest, PiecesDoNotMatter) {
  const std::string text =
      "aab\xC3\xA9"
      "aabab\xC3\xA9\xC3\xA8"
      "end of it";
  for (const std::string stop : {"ab\xC3\xA9\xC3\xA8", "\xC3\xA8", "end", "aabab", "x"}) {
    for (std::size_t size = 1; size < text.size(); ++size) {
      StopStrings stops({stop});
      std::string shown;
      for (std::size_t at = 0; at < text.size(); at += size) shown += stops.Push(text.substr(at, size));
      shown += stops.Finish();
      EXPECT_EQ(shown, text.substr(0, text.find(stop))) << stop << " in pieces of " << size;
    }
  }
}

}  // namespace
}  // namespace gptoss
