#include "hub/recent_bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace gptoss::hub {
namespace {

std::span<const std::byte> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

BlockPointer Filled(RecentBytes& recent, std::uint64_t offset, const std::string& text) {
  BlockPointer block = recent.Take();
  block->Begin(offset);
  EXPECT_EQ(block->Append(Bytes(text)), text.size());
  return block;
}

TEST(RecentBytes, ABlockTakesWhatItHasRoomFor) {
  RecentBytes recent(2);
  BlockPointer block = Filled(recent, 10, std::string(kFastBlockBytes - 1, 'x'));
  EXPECT_EQ(block->Append(Bytes("ab")), 1U);
  EXPECT_EQ(block->Append(Bytes("b")), 0U);
  EXPECT_EQ(block->end(), 10 + kFastBlockBytes);
  EXPECT_EQ(block->bytes().back(), std::byte{'a'});
}

TEST(RecentBytes, AreClaimedOnceByTheirOwnerAndPlace) {
  RecentBytes recent(2);
  const int one = 0, other = 0;
  recent.Keep(&one, Filled(recent, 5, "five"));
  EXPECT_EQ(recent.Claim(&other, 5), nullptr);
  EXPECT_EQ(recent.Claim(&one, 6), nullptr);
  const BlockPointer block = recent.Claim(&one, 5);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block->size(), 4U);
  EXPECT_EQ(recent.Claim(&one, 5), nullptr);
}

TEST(RecentBytes, BlocksAreUsedAgainInsteadOfMadeWithoutEnd) {
  RecentBytes recent(2);
  const int owner = 0;
  for (std::uint64_t i = 0; i < 2; ++i) {
    BlockPointer block = recent.Take();
    block->Begin(i);
    recent.Keep(&owner, std::move(block));
  }
  std::vector<BlockPointer> taken;
  for (int i = 0; i < 2; ++i) taken.push_back(recent.Take());
  taken.push_back(recent.Take());  // of the kept ones, the oldest
  EXPECT_EQ(recent.Claim(&owner, 0), nullptr);
  EXPECT_NE(recent.Claim(&owner, 1), nullptr);
}

TEST(RecentBytes, TheOldestAndTheForgottenAreGone) {
  RecentBytes recent(2);
  const int one = 0, other = 0;
  for (const std::uint64_t offset : {1, 2, 3}) recent.Keep(&one, Filled(recent, offset, "x"));
  EXPECT_EQ(recent.Claim(&one, 1), nullptr);
  EXPECT_NE(recent.Claim(&one, 2), nullptr);
  recent.Keep(&other, Filled(recent, 3, "y"));
  recent.Forget(&one);
  EXPECT_EQ(recent.Claim(&one, 3), nullptr);
  EXPECT_NE(recent.Claim(&other, 3), nullptr);
}

}  // namespace
}  // namespace gptoss::hub
