#include "provider/from_settings.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace gptoss {
namespace {

using namespace std::chrono_literals;

Settings::Pointer With(std::vector<std::pair<std::string, std::string>> flags) {
  return Settings::Load({.system_file = {}, .user_file = {}, .flags = std::move(flags)}).value();
}
ProviderOptions Options(std::vector<std::pair<std::string, std::string>> flags, bool demo = false) {
  return ProviderOptionsFrom(*With(std::move(flags)), demo).value();
}

TEST(FromSettings, DefaultsAreTheProvidersOwn) {
  const ProviderOptions options = Options({}), defaults;
  EXPECT_EQ(options.temperature, defaults.temperature);
  EXPECT_EQ(options.top_p, defaults.top_p);
  EXPECT_EQ(options.max_tokens, 0);
  EXPECT_EQ(options.memory.floor_total, defaults.memory.floor_total);
  EXPECT_EQ(options.memory.advised_total, defaults.memory.advised_total);
  EXPECT_EQ(options.memory.bound, 0U);
  EXPECT_EQ(options.idle_unload, 10min);
  EXPECT_EQ(options.buffer_chunks, 64U);
  EXPECT_EQ(options.pressure, PressurePolicy::kFinishTurns);
  EXPECT_FALSE(options.preload);
  EXPECT_EQ(options.telemetry.log, Settings::Defaults()->Bool("telemetry.enabled"));
  EXPECT_EQ(Options({}, true).temperature, 0);  // the demo's answers are not left to chance
}

TEST(FromSettings, EveryOneHasItsEffect) {
  EXPECT_EQ(Options({}).backend.kv_bits, 16);
  EXPECT_EQ(Options({{"memory.kv_bits", "8"}}).backend.kv_bits, 8);
  EXPECT_EQ(Options({{"generation.temperature", "1.5"}}, true).temperature, 1.5);
  EXPECT_EQ(Options({{"generation.top_k", "40"}}, true).temperature, 0.7);  // a wish for chance
  EXPECT_EQ(Options({{"generation.top_k", "40"}}).top_k, 40);
  EXPECT_EQ(Options({{"generation.top_p", "0.5"}}).top_p, 0.5);
  EXPECT_EQ(Options({{"generation.min_p", "0.1"}}).min_p, 0.1);
  EXPECT_EQ(Options({{"generation.seed", "7"}}).seed, 7U);
  EXPECT_EQ(Options({{"generation.max_tokens", "9"}}).max_tokens, 9);
  EXPECT_EQ(Options({{"generation.reasoning_effort", "high"}}).effort, harmony::ReasoningEffort::kHigh);
  EXPECT_EQ(Options({{"engine.threads", "3"}}).backend.threads, 3);
  EXPECT_TRUE(Options({{"engine.precise", "true"}}).backend.precise);
  EXPECT_EQ(Options({{"memory.floor", "8GB"}}).memory.floor_total, 8'000'000'000U);
  EXPECT_EQ(Options({{"memory.advised", "32GB"}}).memory.advised_total, 32'000'000'000U);
  EXPECT_EQ(Options({{"memory.bound", "13GB"}}).memory.bound, 13'000'000'000U);
  EXPECT_EQ(Options({{"memory.idle_unload", "5m"}}).idle_unload, 5min);
  EXPECT_LT(Options({{"memory.idle_unload", "never"}}).idle_unload, 0ms);
  EXPECT_TRUE(Options({{"memory.preload", "true"}}).preload);
  EXPECT_EQ(Options({{"memory.context_tokens", "4096"}}).context_tokens, 4096);
  EXPECT_EQ(Options({{"memory.pressure_policy", "cancel"}}).pressure, PressurePolicy::kCancelTurns);
  EXPECT_EQ(Options({{"stream.buffer_chunks", "8"}}).buffer_chunks, 8U);
  const TelemetryOptions log =
      Options(
          {{"telemetry.enabled", "true"}, {"telemetry.log_max_bytes", "8kB"}, {"telemetry.log_files", "2"}})
          .telemetry;
  EXPECT_TRUE(log.log);
  EXPECT_EQ(log.folder.filename(), "telemetry");
  EXPECT_EQ(log.max_bytes, 8000U);
  EXPECT_EQ(log.files, 2);
  EXPECT_FALSE(Options({{"telemetry.enabled", "false"}}).telemetry.log);
  EXPECT_FALSE(Options({{"log.level", "off"}}).log);
  testing::internal::CaptureStderr();
  const LogSink log_sink = Options({{"log.level", "warning"}}).log;
  log_sink(LogLevel::kInfo, "unheard");
  log_sink(LogLevel::kWarning, "heard");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "gptoss: warning: heard\n");
}

TEST(FromSettings, TheHubsOptions) {
  const hub::HubOptions options = HubOptionsFrom(*With({{"hub.endpoint", "http://localhost:1/"},
                                                        {"hub.max_connections", "3"},
                                                        {"hub.part_size", "1MiB"},
                                                        {"hub.retry_limit", "2"},
                                                        {"hub.stall_timeout", "7s"},
                                                        {"hub.min_free_disk", "5MB"},
                                                        {"hub.cache_dir", "/x/hub"},
                                                        {"hub.offline", "true"}}))
                                      .value();
  EXPECT_EQ(options.endpoint, "http://localhost:1");
  EXPECT_EQ(options.max_connections, 3);
  EXPECT_EQ(options.part_bytes, 1U << 20);
  EXPECT_EQ(options.retry_limit, 2);
  EXPECT_EQ(options.stall_timeout, 7s);
  EXPECT_EQ(options.disk_margin_bytes, 5'000'000U);
  EXPECT_EQ(options.cache_dir, "/x/hub");
  EXPECT_TRUE(options.offline);
  EXPECT_EQ(HubOptionsFrom(*With({{"hub.token_file", "/nonexistent/token"}})).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace gptoss
