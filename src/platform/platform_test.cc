#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "platform/cpu_features.h"
#include "platform/system.h"

namespace gptoss {
namespace {

TEST(SystemMemory, TotalBoundsAvailable) {
  const MemoryInfo info = SystemMemory();
  EXPECT_GT(info.total, 100U << 20);
  EXPECT_GT(info.available, 0U);
  EXPECT_LE(info.available, info.total);
}

TEST(ResidentMemory, GrowsWithTouchedPagesAndThePeakRemembers) {
  constexpr std::size_t kBytes = 64 << 20;
  const std::uint64_t before = ResidentMemory();
  ASSERT_GT(before, 0U);
  {
    std::vector<char> block(kBytes, 1);
    EXPECT_GE(ResidentMemory(), before + kBytes / 2);
    EXPECT_EQ(block[kBytes - 1], 1);
  }
  EXPECT_GE(PeakResidentMemory(), before + kBytes / 2);
}

TEST(Cpus, AtLeastOneAndItCanBeNamed) {
  EXPECT_GE(UsableCpus(), 1);
  EXPECT_FALSE(CpuName().empty());
}

TEST(Threads, PinningToAnImpossibleCpuFails) {
  std::thread([] {
    EXPECT_FALSE(PinThisThread(1 << 20));
    NameThisThread("gptoss-test");
  }).join();
}

TEST(CpuFeatures, WiderSetsImplyNarrowerOnes) {
  const CpuFeatures& f = ThisCpu();
  EXPECT_TRUE(f.avx2 || !f.avx512);
  EXPECT_TRUE(f.avx512 || !(f.avx512_vnni || f.avx512_bf16));
  EXPECT_TRUE(f.neon || !f.neon_dotprod);
  EXPECT_FALSE(DescribeFeatures(f).empty());
  EXPECT_EQ(DescribeFeatures({}), "none");
}

}  // namespace
}  // namespace gptoss
