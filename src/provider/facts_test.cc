// What the provider tells of the model that it loaded: the context in force and what memory it expects.
#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "provider/agent_provider.h"

namespace gptoss {
namespace {

StreamDone Ask(GptOssAgentProvider& provider, const StreamOptions& options) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<StreamDone> done;
  };
  const auto wait = std::make_shared<Wait>();
  EXPECT_TRUE(provider.Stream(provider.StartSession().value(), "Hello", options, nullptr,
                              [wait](const StreamDone& done) {
                                const std::lock_guard lock(wait->mutex);
                                wait->done = done;
                                wait->changed.notify_all();
                              }));
  std::unique_lock lock(wait->mutex);
  EXPECT_TRUE(wait->changed.wait_for(lock, std::chrono::minutes(2), [&] { return wait->done.has_value(); }));
  return wait->done.value_or(StreamDone{});
}

TEST(Facts, TellTheContextThatMemoryAllowedAndTheEstimateByParts) {
  const Checkpoint demo = OpenDemoCheckpoint().value();
  const MemoryEstimate half = EstimateMemory(*demo.model, {}, 2048, 1, 0);
  ProviderOptions options;
  options.pressure_source = nullptr;
  options.memory.headroom = 0;
  options.memory.smallest_context = 1024;
  options.read_memory = [&half] { return MemoryInfo{.total = 64'000'000'000, .available = half.total()}; };
  const auto provider = GptOssAgentProvider::Create(options, LocalModelSource("")).value();
  EXPECT_EQ(provider->model().context_tokens, 0);
  EXPECT_EQ(provider->model().estimate.total(), 0U);

  const StreamDone done = Ask(*provider, {.max_tokens = 2});
  EXPECT_EQ(done.usage.context_tokens, 2048) << done.explanation;
  const ModelFacts facts = provider->model();
  EXPECT_EQ(facts.context_tokens, 2048);
  EXPECT_EQ(facts.max_context_tokens, demo.model->config.max_context);
  EXPECT_EQ(facts.estimate.weights, half.weights);
  EXPECT_EQ(facts.estimate.kv, half.kv);
  EXPECT_EQ(facts.estimate.scratch, half.scratch);
  EXPECT_GT(facts.estimate.process, half.process);  // with what the program held before

  provider->Unload();
  EXPECT_EQ(provider->model().context_tokens, 0);
  EXPECT_EQ(provider->model().estimate.total(), 0U);
}

}  // namespace
}  // namespace gptoss
