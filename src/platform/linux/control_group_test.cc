#include "platform/linux/control_group.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "platform/linux/pressure_source.h"
#include "platform/linux/stall_totals.h"

namespace gptoss {
namespace {

// A system in a folder: what /proc and /sys say is written by hand.
class ControlGroupTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "gptoss-cgroup-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::filesystem::path& path, std::string_view text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::optional<MemoryLimit> Limit() {
    const auto group = FindMemoryGroup(root_);
    return group ? MemoryLimitOf(*group) : std::nullopt;
  }

  std::filesystem::path root_;
};

constexpr std::string_view kMount2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
constexpr std::string_view kMount1 =
    "29 23 0:25 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "31 23 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:4 - cgroup cgroup rw,memory\n"
    "32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

TEST_F(ControlGroupTest, NothingThereIsNoLimit) {
  EXPECT_FALSE(Limit());
  Write("proc/self/cgroup", "0::/\n");
  Write("proc/self/mountinfo", kMount2);
  Write("sys/fs/cgroup/memory.stat", "anon 5\n");  // the root group has no limit
  EXPECT_FALSE(Limit());
}

TEST_F(ControlGroupTest, Version2TakesTheTightestOfAllAbove) {
  Write("proc/self/cgroup", "0::/user.slice/app.scope\n");
  Write("proc/self/mountinfo", kMount2);
  Write("sys/fs/cgroup/user.slice/memory.max", "8000\n");
  Write("sys/fs/cgroup/user.slice/memory.current", "7000\n");
  Write("sys/fs/cgroup/user.slice/memory.stat", "anon 900\nactive_file 1000\ninactive_file 1500\n");
  Write("sys/fs/cgroup/user.slice/app.scope/memory.max", "max\n");
  EXPECT_EQ(Limit()->limit, 8000u);
  EXPECT_EQ(Limit()->used, 4500u);
  Write("sys/fs/cgroup/user.slice/app.scope/memory.high", "5000\n");
  Write("sys/fs/cgroup/user.slice/app.scope/memory.current", "600\n");
  EXPECT_EQ(Limit()->limit, 5000u);
  EXPECT_EQ(Limit()->used, 1500u);  // the slice has only 3500 left for everybody in it
}

TEST_F(ControlGroupTest, AGroupBeyondItsLimitHasNothingLeft) {
  Write("proc/self/cgroup", "0::/a\n");
  Write("proc/self/mountinfo", kMount2);
  Write("sys/fs/cgroup/a/memory.max", "1000\n");
  Write("sys/fs/cgroup/a/memory.current", "1200\n");
  EXPECT_EQ(Limit()->used, 1000u);
}

TEST_F(ControlGroupTest, Version1OfAHybridSystem) {
  Write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/box/inner\n0::/\n");
  Write("proc/self/mountinfo", kMount1);
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  Write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "4000\n");
  Write("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "3000\n");
  Write("sys/fs/cgroup/memory/box/memory.stat",
        "inactive_file 1\ntotal_inactive_file 500\ntotal_active_file 100\n");
  Write("sys/fs/cgroup/memory/box/inner/memory.limit_in_bytes", "9223372036854771712\n");
  Write("sys/fs/cgroup/memory/box/inner/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  ASSERT_TRUE(Limit());
  EXPECT_EQ(Limit()->limit, 4000u);
  EXPECT_EQ(Limit()->used, 2400u);
  EXPECT_EQ(OutOfMemoryEvents(*FindMemoryGroup(root_)), 3u);
}

// Inside a container the path may be one from outside, or one above what is mounted.
TEST_F(ControlGroupTest, ContainersSeeAPartOfTheHierarchy) {
  Write("sys/fs/cgroup/memory.max", "1000\n");
  Write("sys/fs/cgroup/memory.current", "10\n");
  for (const auto& [path, mounted] : {std::pair("/docker/abc", "/docker/abc"), std::pair("/../../host", "/"),
                                      std::pair("/not/visible", "/"), std::pair("/", "/")}) {
    Write("proc/self/cgroup", std::string("0::") + path + "\n");
    Write("proc/self/mountinfo",
          std::string("30 23 0:26 ") + mounted + " /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    ASSERT_TRUE(Limit()) << path;
    EXPECT_EQ(Limit()->limit, 1000u) << path;
  }
}

TEST_F(ControlGroupTest, OddFilesAreNoLimit) {
  Write("proc/self/cgroup", "garbage\n0:\n0::/a b\n::\n");
  Write("proc/self/mountinfo", "1 2 3\n30 23 0:26 / /sys/fs/c\\040group rw - cgroup2 x\n\n");
  Write("sys/fs/c group/a b/memory.max", "-5\n");
  EXPECT_FALSE(Limit());
  Write("sys/fs/c group/a b/memory.max", "77\n");
  EXPECT_EQ(Limit()->limit, 77u);
}

TEST_F(ControlGroupTest, StallsAreReadAsPsiWritesThem) {
  Write("proc/pressure/memory",
        "some avg10=0.00 avg60=0.12 avg300=0.00 total=7681670\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
        "total=2896007\n");
  const auto totals = ReadStallTotals(root_ / "proc/pressure/memory");
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->some, 7681670u);
  EXPECT_EQ(totals->all, 2896007u);
  Write("proc/pressure/memory", "some avg10=0.00 total=1\n");
  EXPECT_FALSE(ReadStallTotals(root_ / "proc/pressure/memory"));
  EXPECT_FALSE(ReadStallTotals(root_ / "nothing"));
}

// A trigger that a few microseconds set off is not believed; one whose stall the totals know is.
TEST(StallHistory, BelievesATriggerWhereTheTotalsSayTheSame) {
  using namespace std::chrono_literals;
  const StallHistory::Clock::time_point start{};
  StallHistory history(StallTotals{.some = 5'000'000, .all = 3'000'000}, start);
  history.Observe(StallTotals{.some = 5'000'100, .all = 3'000'035}, start + 5s);
  EXPECT_FALSE(history.SomeStalled());
  EXPECT_FALSE(history.AllStalled());
  history.Observe(StallTotals{.some = 5'150'000, .all = 3'150'000}, start + 6s);
  history.Observe(StallTotals{.some = 5'210'000, .all = 3'190'000},
                  start + 6500ms);  // over both looks together
  EXPECT_TRUE(history.SomeStalled());
  EXPECT_FALSE(history.AllStalled());
  history.Observe(StallTotals{.some = 5'210'000, .all = 3'190'000}, start + 9s);  // that is over
  EXPECT_FALSE(history.SomeStalled());
  history.Observe(std::nullopt, start + 10s);  // nothing is known: the trigger has the word
  EXPECT_TRUE(history.SomeStalled());
}

TEST_F(ControlGroupTest, BeingOutOfMemoryIsCritical) {
  Write("proc/self/cgroup", "0::/a\n");
  Write("proc/self/mountinfo", kMount2);
  Write("sys/fs/cgroup/a/memory.events", "low 0\nhigh 7\nmax 4\noom 1\noom_kill 0\n");
  const auto source = LinuxMemoryPressureSource(root_);
  source->Wake();
  EXPECT_NE(source->Wait(std::chrono::hours(1)),
            MemoryPressure::kCritical);  // what was before does not count
  Write("sys/fs/cgroup/a/memory.events", "low 0\nhigh 9\nmax 9\noom 1\noom_kill 1\n");
  source->Wake();
  EXPECT_EQ(source->Wait(std::chrono::hours(1)), MemoryPressure::kCritical);
}

}  // namespace
}  // namespace gptoss
