// What remains of a large model after it was unloaded, and whether its estimate was right. The checkpoint is
// made here: two layers of gpt-oss-20b, about 1 GB, with the demo's tokenizer. GPTOSS_UNLOAD_MODEL names
// another one, of any size: docs/provider.md has what a checkpoint of 12 GB gave.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "platform/memory.h"
#include "platform/system.h"
#include "provider/agent_provider.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

class Unload : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "a sanitizer takes memory of its own";
    if (const char* given = std::getenv("GPTOSS_UNLOAD_MODEL")) {
      model_ = given;
      return;
    }
    std::string name = (fs::temp_directory_path() / "gptoss-unload-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    model_ = folder_ / "model";
    const fs::path demo = fs::path(GPTOSS_SOURCE_DIR) / "models/demo/tokenizer.json";
    const std::string make = std::string(GPTOSS_BINARY_DIR) +
                             "/make_synthetic --layers 2 --vocab 1920 --out " + model_.string() +
                             " --tokenizer " + demo.string() + " >/dev/null";
    ASSERT_EQ(std::system(make.c_str()), 0) << make;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  fs::path folder_, model_;
};

void Talk(GptOssAgentProvider& provider) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<StreamDone> done;
  };
  const auto wait = std::make_shared<Wait>();
  const SessionId session = provider.StartSession().value();
  std::string prompt = "Read:";  // a whole batch of rows, so that all of the scratch is used
  for (int i = 0; i < 600; ++i) prompt += " a";
  ASSERT_TRUE(
      provider.Stream(session, std::move(prompt), {.max_tokens = 4}, nullptr, [wait](const StreamDone& done) {
        const std::lock_guard lock(wait->mutex);
        wait->done = done;
        wait->changed.notify_all();
      }));
  std::unique_lock lock(wait->mutex);
  ASSERT_TRUE(wait->changed.wait_for(lock, std::chrono::minutes(5), [&] { return wait->done.has_value(); }));
  EXPECT_NE(wait->done->end, TurnEnd::kError) << wait->done->explanation;
  EXPECT_GT(wait->done->usage.generated_tokens, 0);
}

TEST_F(Unload, GivesTheMemoryBackEveryTime) {
  ProviderOptions options;
  options.pressure_source = nullptr;
  options.context_tokens = 4096;
  const auto provider =
      GptOssAgentProvider::Create(std::move(options), LocalModelSource(model_.string())).value();
  const std::uint64_t before = ResidentMemory();
  for (int round = 0; round < 3; ++round) {
    const Status loaded = provider->Load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    Talk(*provider);
    const MemoryWatermark full = provider->memory();
    EXPECT_GT(full.weights, 850'000'000U);
    EXPECT_GT(full.resident, before + full.weights);  // every page was brought in
    // KV of a few tokens instead of a full context; the rest has to be as predicted.
    const double predicted = static_cast<double>(full.estimated - full.estimated_kv + full.kv);
    EXPECT_NEAR(static_cast<double>(full.resident), predicted, 0.05 * predicted);
    provider->Unload();
    const std::uint64_t after = ResidentMemory();
    std::printf("weights %.1f, kv %.1f, scratch %.1f; ", static_cast<double>(full.weights) / 1e6,
                static_cast<double>(full.kv) / 1e6, static_cast<double>(full.scratch) / 1e6);
    std::printf("%.1f MB at the start, %.1f MB loaded (predicted %.1f), %.1f MB after unloading\n",
                static_cast<double>(before) / 1e6, static_cast<double>(full.resident) / 1e6, predicted / 1e6,
                static_cast<double>(after) / 1e6);
    EXPECT_LT(after, before + 100'000'000U);
  }
}

}  // namespace
}  // namespace gptoss
