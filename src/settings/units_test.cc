#include "settings/units.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace gptoss {
namespace {

using std::chrono::milliseconds;

TEST(Duration, IsReadAsPeopleWriteIt) {
  const std::vector<std::pair<const char*, std::int64_t>> good = {{"500ms", 500},
                                                                  {"30s", 30'000},
                                                                  {"10m", 600'000},
                                                                  {" 10 m ", 600'000},
                                                                  {"1h30m", 5'400'000},
                                                                  {"1H 30M", 5'400'000},
                                                                  {"2d", 172'800'000},
                                                                  {"0", 0},
                                                                  {"0s", 0},
                                                                  {"90m", 5'400'000},
                                                                  {"1d1h1m1s1ms", 90'061'001},
                                                                  {"36500d", 36'500LL * 86'400'000}};
  for (const auto& [text, expected] : good) {
    const auto value = ParseDuration(text);
    ASSERT_TRUE(value) << value.error().message;
    EXPECT_EQ(value->length.count(), expected) << text;
    EXPECT_FALSE(value->never);
  }
  EXPECT_EQ(ParseDuration("Never"), Duration::Never());
  for (const char* bad :
       {"", " ", "10", "m", "-5m", "1.5h", "10m5", "30m1h", "5m5m", "10 minutes", "nevermore", "36501d",
        "99999999999999999999d", "5124095576030431h", "1h-30m", "10m\n"}) {
    const auto value = ParseDuration(bad);
    ASSERT_FALSE(value) << bad;
    EXPECT_EQ(value.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(value.error().message.find('\n'), std::string::npos);
  }
}

TEST(Duration, NeverIsLongest) {
  EXPECT_LT(Duration{milliseconds(5)}, Duration{milliseconds(6)});
  EXPECT_LT(*ParseDuration("36500d"), Duration::Never());
}

TEST(Duration, SurvivesTheWayOutAndBack) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20'000; ++i) {
    const Duration duration{
        milliseconds(static_cast<std::int64_t>(random() >> (random() % 64)) % 3'153'600'000'000)};
    if (duration.length.count() < 0) continue;
    EXPECT_EQ(ParseDuration(FormatDuration(duration)), duration) << FormatDuration(duration);
  }
  EXPECT_EQ(FormatDuration(Duration::Never()), "never");
  EXPECT_EQ(FormatDuration({milliseconds(600'000)}), "10m");
  EXPECT_EQ(FormatDuration({milliseconds(90'061'001)}), "1d1h1m1s1ms");
}

TEST(Bytes, AreReadAsPeopleWriteThem) {
  const std::vector<std::pair<const char*, std::uint64_t>> good = {{"0", 0},
                                                                   {"123", 123},
                                                                   {"16GB", 16'000'000'000},
                                                                   {"500 MB", 500'000'000},
                                                                   {"1.5gb", 1'500'000'000},
                                                                   {"1.5KiB", 1536},
                                                                   {"1.25 kib", 1280},
                                                                   {"64MiB", 64ULL << 20},
                                                                   {"7B", 7},
                                                                   {"4kB", 4000},
                                                                   {"2TB", 2'000'000'000'000},
                                                                   {"16777215TiB", 16'777'215ULL << 40},
                                                                   {"18446744073709551615", ~0ULL},
                                                                   {"1.50 GB", 1'500'000'000}};
  for (const auto& [text, expected] : good) {
    const auto value = ParseBytes(text);
    ASSERT_TRUE(value) << value.error().message;
    EXPECT_EQ(*value, expected) << text;
  }
  for (const char* bad : {"", "GB", "-1", "1.GB", ".5GB", "1.5", "1.0001kB", "0.1KiB", "16777216TiB", "1e9",
                          "16 G", "18446744073709551616", "1.1234567TB", "5 m b", "16GB16", "0x10"}) {
    EXPECT_FALSE(ParseBytes(bad)) << bad;
  }
}

TEST(Bytes, SurviveTheWayOutAndBack) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::uint64_t bytes = random() >> (random() % 64);
    if (i % 3 == 0) bytes = bytes >> 30 << 30;
    if (i % 3 == 1) bytes = bytes / 1'000'000'000 * 1'000'000'000;
    EXPECT_EQ(ParseBytes(FormatBytes(bytes)), bytes) << FormatBytes(bytes);
  }
  EXPECT_EQ(FormatBytes(16'000'000'000), "16GB");
  EXPECT_EQ(FormatBytes(512ULL << 20), "512MiB");
  EXPECT_EQ(FormatBytes(1'234'567), "1234567B");
  EXPECT_EQ(DescribeBytes(12'900'000'000), "12.9 GB");
  EXPECT_EQ(DescribeBytes(999), "999 bytes");
}

}  // namespace
}  // namespace gptoss
