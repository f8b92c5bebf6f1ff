#include "provider/telemetry.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace gptoss {
namespace {

class TelemetryTest : public ::testing::Test {
 protected:
  TelemetryTest() {
    char name[] = "/tmp/gptoss-telemetry-XXXXXX";
    folder_ = std::filesystem::path(::mkdtemp(name)) / "log";
  }
  ~TelemetryTest() override { std::filesystem::remove_all(folder_.parent_path()); }
  static GenerationRecord Sample(std::int64_t tokens) {
    return {.time = "2026-01-02T03:04:05.678Z",
            .model_hash = "0123456789ab",
            .prompt_tokens = 10,
            .cached_tokens = 4,
            .generated_tokens = tokens,
            .first_token_ms = 120.5,
            .tokens_per_second = 33.25,
            .peak_memory_bytes = 1 << 20,
            .cancelled = false,
            .repaired = true,
            .stop_reason = "answer"};
  }
  std::filesystem::path folder_;
};

TEST_F(TelemetryTest, ARecordSurvivesItsLine) {
  const GenerationRecord record = Sample(7);
  const GenerationRecord read = ParseRecord(ToJsonLine(record)).value();
  EXPECT_EQ(ToJsonLine(read), ToJsonLine(record));
  EXPECT_FALSE(ParseRecord("{}"));
  EXPECT_FALSE(ParseRecord("not json"));
}

TEST_F(TelemetryTest, ALineWithWhatCannotBeIsNone) {
  for (const char* field : {R"("generated_tokens":-5)", R"("generated_tokens":1.5)", R"("prompt_tokens":"3")",
                            R"("tokens_per_second":"fast")", R"("tokens_per_second":1e308)",
                            R"("peak_memory_bytes":18446744073709551615)", R"("cancelled":"no")",
                            R"("time":5)", R"("stop_reason":null)"}) {
    // The last of two fields of one name counts.
    std::string line = ToJsonLine(Sample(7));
    line.replace(line.rfind('}'), 1, std::string(",") + field + "}");
    EXPECT_FALSE(ParseRecord(line)) << line;
  }
  EXPECT_TRUE(ParseRecord(R"({"time":"2026-01-02T03:04:05.678Z","generated_tokens":0})"));
}

TEST_F(TelemetryTest, NothingIsWrittenUnlessAskedFor) {
  Telemetry telemetry({.log = false, .folder = folder_});
  telemetry.Record(Sample(7), 0.1, false);
  EXPECT_FALSE(std::filesystem::exists(folder_));
  EXPECT_EQ(telemetry.metrics().generations, 1U);
}

TEST_F(TelemetryTest, TheLogIsPrivateRotatedAndBounded) {
  Telemetry telemetry({.log = true, .folder = folder_, .max_bytes = 2000, .files = 3});
  for (int i = 0; i < 100; ++i) telemetry.Record(Sample(i), 0.1, false);
  struct stat status{};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().extension() != ".jsonl") continue;
    ++files;
    EXPECT_LE(entry.file_size(), 2000U);
  }
  EXPECT_EQ(files, 3);
  const TelemetryLog log = ReadTelemetry(folder_).value();
  EXPECT_EQ(log.unreadable(), 0U);
  ASSERT_FALSE(log.records.empty());
  EXPECT_EQ(log.records.back().generated_tokens, 99);
  for (std::size_t i = 1; i < log.records.size(); ++i) {
    EXPECT_EQ(log.records[i].generated_tokens, log.records[i - 1].generated_tokens + 1);
  }
}

TEST_F(TelemetryTest, FewerFilesThanBeforeAreKeptAfterTheNextRotation) {
  for (const int files : {4, 1}) {
    Telemetry telemetry({.log = true, .folder = folder_, .max_bytes = 2000, .files = files});
    for (int i = 0; i < 100; ++i) telemetry.Record(Sample(i), 0.1, false);
  }
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    left += entry.path().extension() == ".jsonl" ? 1 : 0;
  EXPECT_EQ(left, 1);
}

TEST_F(TelemetryTest, ManyWritersLoseNoLine) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Telemetry telemetry({.log = true, .folder = folder_, .max_bytes = 1 << 20});
      for (int i = 0; i < 50; ++i) telemetry.Record(Sample(i), 0.1, false);
      EXPECT_EQ(telemetry.problem(), "");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ReadTelemetry(folder_).value().records.size(), 200U);
}

TEST_F(TelemetryTest, ALogThatCannotBeWrittenIsToldAndStopsNothing) {
  std::filesystem::create_directories(folder_.parent_path());
  std::ofstream(folder_) << "a file where the folder should be";
  Telemetry telemetry({.log = true, .folder = folder_});
  telemetry.Record(Sample(1), 0.1, false);
  EXPECT_NE(telemetry.problem(), "");
  EXPECT_EQ(telemetry.metrics().generations, 1U);
}

TEST_F(TelemetryTest, AFifoInItsPlaceIsRefusedAndNotWaitedFor) {
  std::filesystem::create_directories(folder_);
  ASSERT_EQ(::mkfifo((folder_ / "generations.jsonl").c_str(), 0600), 0);
  Telemetry telemetry({.log = true, .folder = folder_});
  telemetry.Record(Sample(1), 0.1, false);
  EXPECT_NE(telemetry.problem().find("it is not a regular file"), std::string::npos) << telemetry.problem();
}

TEST_F(TelemetryTest, DamagedLinesAreCountedAndSkipped) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ / "generations.jsonl") << "garbage\n" << ToJsonLine(Sample(3)) << "\n{\"half\":";
  const TelemetryLog log = ReadTelemetry(folder_).value();
  EXPECT_EQ(log.records.size(), 1U);
  EXPECT_EQ(log.unreadable(), 2U);
  EXPECT_EQ(DescribeDamage(log), "2 lines of the log could not be read: " +
                                     (folder_ / "generations.jsonl").string() + " (2, from line 1)");
  EXPECT_EQ(DescribeDamage({}), "");
  // What comes after a line that was cut off is whole.
  Telemetry({.log = true, .folder = folder_}).Record(Sample(4), 0.1, false);
  EXPECT_EQ(ReadTelemetry(folder_).value().records.size(), 2U);
  EXPECT_EQ(ReadTelemetry(folder_).value().unreadable(), 2U);
}

TEST_F(TelemetryTest, PrometheusCountsWhatWasRecorded) {
  Telemetry telemetry({});
  telemetry.Record(Sample(5), 0.5, false);
  GenerationRecord slow = Sample(0);
  slow.cancelled = true;
  telemetry.Record(slow, 0, false);
  telemetry.CountLoad();
  const std::string text = PrometheusText(telemetry.metrics(), 1, 2, 3, 4, true);
  for (const char* line :
       {"gptoss_generations_total 2\n", "gptoss_generations_cancelled_total 1\n",
        "gptoss_generated_tokens_total 5\n", "gptoss_loads_total 1\n", "gptoss_model_ready 1\n",
        "gptoss_memory_bytes{use=\"kv\"} 2\n", "gptoss_first_token_seconds_bucket{le=\"0.1\"} 0\n",
        "gptoss_first_token_seconds_bucket{le=\"0.25\"} 1\n",
        "gptoss_first_token_seconds_bucket{le=\"+Inf\"} 1\n", "gptoss_first_token_seconds_count 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace gptoss
