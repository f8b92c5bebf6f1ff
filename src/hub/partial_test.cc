#include "hub/partial.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "hub/recent_bytes.h"
#include "platform/disk.h"

namespace gptoss::hub {
namespace {

// A folder on the build's disk: the one for temporary files may be memory, which knows of no such writing.
class PartialTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::current_path() / ("partial-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    job_.file = {.path = "model.bin", .size = 3 * kFastBlockBytes + 7, .hash = {std::string(64, 'a')}};
    job_.blob = folder_ / job_.file.hash.hex;
    job_.lock = folder_ / "lock";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  BlobJob job_;
};

TEST_F(PartialTest, WhatWentPastTheCacheIsReadBackAsWritten) {
  auto partial = *Partial::Open(job_, true);
  ASSERT_TRUE(partial->Reserve());
  std::vector<std::byte> expected(job_.file.size);
  for (std::uint64_t at = 0; at < job_.file.size; at += kFastBlockBytes) {
    Block block;
    block.Begin(at);
    const std::vector<std::byte> bytes(std::min<std::size_t>(kFastBlockBytes, job_.file.size - at),
                                       static_cast<std::byte>(1 + at / kFastBlockBytes));
    ASSERT_EQ(block.Append(bytes), bytes.size());
    std::ranges::copy(bytes, expected.begin() + static_cast<std::ptrdiff_t>(at));
    const auto written = partial->WriteUncached(at, block.bytes());
    ASSERT_TRUE(written) << written.error().message;
    // The file's last bytes are no whole page.
    EXPECT_FALSE(*written && bytes.size() < kUncachedUnit);
    if (!*written) {
      ASSERT_TRUE(partial->Write(at, block.bytes()));
    }
  }
  std::vector<std::byte> found(job_.file.size);
  ASSERT_TRUE(partial->Read(0, found));
  EXPECT_TRUE(found == expected);
  partial->Drop();
}

TEST_F(PartialTest, OnlyWholePagesGoPastTheCache) {
  auto partial = *Partial::Open(job_, true);
  Block block;
  block.Begin(0);
  ASSERT_EQ(block.Append(std::vector<std::byte>(2 * kUncachedUnit)), 2 * kUncachedUnit);
  EXPECT_FALSE(*partial->WriteUncached(1, block.bytes()));
  EXPECT_FALSE(*partial->WriteUncached(0, block.bytes().subspan(1)));
  EXPECT_FALSE(*partial->WriteUncached(0, block.bytes().subspan(0, kUncachedUnit + 1)));
  EXPECT_EQ(std::filesystem::file_size(folder_ / (job_.file.hash.hex + ".gptoss-part")), 0U);
  partial->Drop();
}

}  // namespace
}  // namespace gptoss::hub
