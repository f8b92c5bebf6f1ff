#include "hub/http_text.h"

#include <gtest/gtest.h>

#include "hub/answer_check.h"
#include "hub/hub_json.h"
#include "hub/speed.h"

namespace gptoss::hub {
namespace {

using std::chrono::seconds;

TEST(ContentRange, ReadsStrictly) {
  const auto range = ParseContentRange("bytes 5-9/100");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 5U);
  EXPECT_EQ(range->last, 9U);
  EXPECT_EQ(range->total, 100U);
  EXPECT_EQ(ParseContentRange("bytes 5-9/*")->total, std::nullopt);
  EXPECT_EQ(ParseContentRange("bytes */100")->first, std::nullopt);
  for (const auto* bad :
       {"", "bytes", "bytes 9-5/100", "bytes 5-100/100", "bytes -5/100", "bytes 5-/100", "items 1-2/3",
        "bytes 1-2", "bytes */*", "bytes 1-2/99999999999999999999", "bytes +1-2/3", "bytes 1 -2/3"}) {
    EXPECT_FALSE(ParseContentRange(bad)) << bad;
  }
}

TEST(NextLink, FindsRelNext) {
  EXPECT_EQ(ParseNextLink("<https://h/a?c=1>; rel=\"next\""), "https://h/a?c=1");
  EXPECT_EQ(ParseNextLink("<https://h/p>; rel=prev, <https://h/a,b;c>; title=\"x\\\"y\"; rel=next"),
            "https://h/a,b;c");
  for (const auto* none : {"", "<>", "<https://h/a>", "https://h/a; rel=next", "<https://h/a; rel=next",
                           "<https://h/a>; rel=\"last\"", "<https://h>; title=\"; rel=next"}) {
    EXPECT_EQ(ParseNextLink(none), std::nullopt) << none;
  }
}

TEST(Etag, NormalisesAndKnowsStrongOnes) {
  EXPECT_EQ(NormaliseEtag("W/\"abc\""), "abc");
  EXPECT_EQ(NormaliseEtag("abc"), "abc");
  EXPECT_EQ(StrongEtag({{"ETag", "\"abc\""}}), "\"abc\"");
  for (const auto* weak : {"W/\"abc\"", "abc", "\"\"", "\"a b\"", "\"a\"b\""}) {
    EXPECT_EQ(StrongEtag({{"ETag", weak}}), "") << weak;
  }
}

TEST(RequestedWait, ReadsRateLimitAndRetryAfter) {
  EXPECT_EQ(RequestedWait({{"RateLimit", "\"api\";r=0;t=55"}}), seconds(56));
  EXPECT_EQ(RequestedWait({{"RateLimit", "\"pages\";r=3;t=99, \"api\";t=7;r=0"}}), seconds(8));
  EXPECT_EQ(RequestedWait({{"RateLimit", "\"api\";r=5;t=55"}}), std::nullopt);
  EXPECT_EQ(RequestedWait({{"RateLimit", "\"api\";r=5;t=55"}, {"Retry-After", "3"}}), seconds(3));
  EXPECT_EQ(RequestedWait({{"Retry-After", "0"}}), seconds(0));
  EXPECT_EQ(RequestedWait({{"Retry-After", "Sun, 06 Nov 1994 08:50:00 GMT"},
                           {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}}),
            seconds(23));
  EXPECT_EQ(RequestedWait({{"Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"}}), seconds(0));  // long ago
  EXPECT_EQ(RequestedWait({{"Retry-After", "soon"}}), std::nullopt);
  EXPECT_EQ(RequestedWait({}), std::nullopt);
}

TEST(HttpDate, ReadsImfFixdate) {
  EXPECT_EQ(ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(ParseHttpDate("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  for (const auto* bad : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(ParseHttpDate(bad), std::nullopt) << bad;
  }
}

TEST(HubJson, ReadsARevision) {
  const auto info = ParseRevisionInfo(
      R"({"sha":"0123456789012345678901234567890123456789","gated":"auto","private":false,"tags":["x","license:mit"]})");
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->license, "mit");
  EXPECT_TRUE(info->gated);
  EXPECT_FALSE(info->is_private);
  for (const auto* bad : {"", "[]", "{}", "{\"sha\":5}", "{\"sha\":\"../../..\"}",
                          "{\"sha\":\"ABCDEF6789012345678901234567890123456789\"}", "<html>",
                          "{\"sha\":\"0123456789012345678901234567890123456789\""}) {
    EXPECT_EQ(ParseRevisionInfo(bad).error().code, ErrorCode::kDataLoss) << bad;
  }
}

TEST(HubJson, ReadsATreePageOrRefusesAllOfIt) {
  std::vector<FileEntry> files;
  const std::string git(40, 'a');
  const std::string sha(64, 'b');
  const auto page = [](const std::string& entry) { return "[" + entry + "]"; };
  ASSERT_TRUE(ParseTreePage(
      page(R"({"type":"directory","path":"d","oid":"x"},{"type":"file","path":"d/c.json","size":5,"oid":")" +
           git + R"("},{"type":"file","path":"w","size":9,"oid":")" + git + R"(","lfs":{"oid":")" + sha +
           R"(","size":9,"pointerSize":1},"xetHash":"ff"})"),
      files));
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].hash.hex, git);
  EXPECT_EQ(files[1].hash.hex, sha);
  EXPECT_EQ(files[1].git_oid, git);
  EXPECT_EQ(files[1].xet_hash, "ff");
  for (const std::string& bad : std::vector<std::string>{
           "5", R"({"type":"link","path":"a"})", R"({"type":"file","size":5,"oid":")" + git + "\"}",
           R"({"type":"file","path":"a","size":-5,"oid":")" + git + "\"}",
           R"({"type":"file","path":"a","size":1.5,"oid":")" + git + "\"}",
           R"({"type":"file","path":"a","size":99999999999999999999,"oid":")" + git + "\"}",
           R"({"type":"file","path":"a","size":5,"oid":"../x"})",
           R"({"type":"file","path":"a","size":5,"oid":")" + git + R"(","lfs":{"oid":")" + git +
               R"(","size":5}})"}) {
    EXPECT_EQ(ParseTreePage(page(bad), files).error().code, ErrorCode::kDataLoss) << bad;
  }
  EXPECT_FALSE(ParseTreePage(std::string(100'000, '['), files));
}

Verdict::Kind JudgePart(int status, net::Headers headers) {
  return Judge({.begin = 5, .end = 10, .size = 100, .ranged = true},
               {.status = status, .headers = std::move(headers)})
      .kind;
}

TEST(Judge, HoldsAPartAgainstWhatWasAsked) {
  using Kind = Verdict::Kind;
  EXPECT_EQ(JudgePart(206, {{"Content-Range", "bytes 5-9/100"}, {"Content-Length", "5"}}), Kind::kBytes);
  EXPECT_EQ(JudgePart(206, {{"Content-Range", "bytes 5-7/100"}}), Kind::kBytes);  // less is allowed
  EXPECT_EQ(JudgePart(206, {{"Content-Range", "bytes 0-4/100"}}), Kind::kOtherBytes);
  EXPECT_EQ(JudgePart(206, {{"Content-Range", "bytes 5-10/100"}}), Kind::kOtherBytes);
  EXPECT_EQ(JudgePart(206, {{"Content-Range", "bytes 5-9/100"}, {"Content-Length", "6"}}), Kind::kOtherBytes);
  EXPECT_EQ(JudgePart(206, {}), Kind::kOtherBytes);
  EXPECT_EQ(JudgePart(206, {{"Content-Range", "bytes 5-9/99"}}), Kind::kOtherSize);
  EXPECT_EQ(JudgePart(206, {{"Content-Range", "bytes 5-9/100"}, {"Content-Encoding", "gzip"}}),
            Kind::kOtherBytes);
  EXPECT_EQ(JudgePart(200, {{"Content-Length", "100"}}), Kind::kBytes);
  EXPECT_EQ(JudgePart(200, {{"Content-Length", "101"}}), Kind::kOtherSize);
  EXPECT_EQ(JudgePart(416, {{"Content-Range", "bytes */100"}}), Kind::kNotSatisfiable);
  EXPECT_EQ(JudgePart(416, {{"Content-Range", "bytes */7"}}), Kind::kOtherSize);
  EXPECT_EQ(JudgePart(302, {}), Kind::kRedirect);
  EXPECT_EQ(JudgePart(403, {}), Kind::kRefused);
  EXPECT_EQ(JudgePart(503, {}), Kind::kLater);
  EXPECT_EQ(JudgePart(204, {}), Kind::kNoFile);
}

TEST(SpeedMeter, MeasuresAWindow) {
  SpeedMeter meter;
  SteadyTime now{};
  EXPECT_EQ(meter.bytes_per_second(), 0);
  EXPECT_EQ(meter.SecondsFor(1), -1);
  for (int i = 0; i <= 100; ++i)
    meter.Observe(now += std::chrono::milliseconds(100), static_cast<std::uint64_t>(i) * 50);
  EXPECT_NEAR(meter.bytes_per_second(), 500, 1);
  EXPECT_NEAR(meter.SecondsFor(5000), 10, 0.5);
}

constexpr std::uint64_t kMuchLeft = 1ULL << 40;

// A line that gives `rate(connections)` bytes a second.
int SettledTarget(double (*rate)(int)) {
  ConnectionGovernor governor(8, std::chrono::seconds(2));
  SteadyTime now{};
  double bytes = 0;
  for (int i = 0; i < 600; ++i) {
    bytes += rate(governor.target()) * 0.1;
    governor.Observe(now += std::chrono::milliseconds(100), static_cast<std::uint64_t>(bytes), kMuchLeft,
                     governor.target());
  }
  return governor.target();
}

TEST(ConnectionGovernor, TakesWhatTheLineGives) {
  EXPECT_GE(SettledTarget([](int n) { return 1e6 * n; }), 6);  // each connection is limited
  EXPECT_LE(SettledTarget([](int) { return 1e7; }), 2);        // one fills the line
  EXPECT_LE(SettledTarget([](int n) { return 1e7 / n; }), 2);  // more make it slower
  EXPECT_NEAR(SettledTarget([](int n) { return 1e6 * std::min(n, 4); }), 4, 1);
}

// Connections come to speed while it doubles: that must not leave it with more than the line is worth.
TEST(ConnectionGovernor, IsNotMisledByASlowStart) {
  ConnectionGovernor governor(8, std::chrono::seconds(1));
  SteadyTime now{};
  double bytes = 0, rate = 1e4;
  int most = 1;
  for (int i = 0; i < 300; ++i) {
    // Twice as fast every 100 ms, up to what more connections only make slower.
    rate = std::min(2 * rate, 1e7 / governor.target());
    bytes += rate * 0.1;
    governor.Observe(now += std::chrono::milliseconds(100), static_cast<std::uint64_t>(bytes), kMuchLeft,
                     governor.target());
    most = std::max(most, governor.target());
  }
  EXPECT_GE(most, 4);
  EXPECT_LE(governor.target(), 2);
}

TEST(ConnectionGovernor, TriesNoFewerWhenTheEndIsNear) {
  ConnectionGovernor governor(8, std::chrono::seconds(1));
  SteadyTime now{};
  std::uint64_t bytes = 0, fewest = 8;
  for (int i = 0; i < 150; ++i) {
    bytes += 100'000 * static_cast<std::uint64_t>(governor.target());
    governor.Observe(now += std::chrono::milliseconds(100), bytes, 120'000'000 - bytes, governor.target());
    if (i > 20) fewest = std::min<std::uint64_t>(fewest, governor.target());
  }
  EXPECT_EQ(fewest, 8U);
}

TEST(ConnectionGovernor, LearnsNothingWithoutEnoughWork) {
  ConnectionGovernor governor(8, std::chrono::seconds(2));
  SteadyTime now{};
  for (int i = 0; i < 100; ++i)
    governor.Observe(now += seconds(1), static_cast<std::uint64_t>(i), kMuchLeft, 0);
  EXPECT_EQ(governor.target(), 2);
  governor.BackOff(now);
  EXPECT_EQ(governor.target(), 1);
}

}  // namespace
}  // namespace gptoss::hub
