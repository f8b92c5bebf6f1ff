#include "hub/journal.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hub/byte_sum.h"
#include "hub/range_set.h"

namespace gptoss::hub {
namespace {

Journal Example() {
  Journal journal;
  journal.hash.hex = std::string(64, 'a');
  journal.size = 10 * kExtentBytes + 77;
  journal.salt = 0x1234;
  journal.copy = 2;
  journal.first_sums = {1, 2, 3};
  journal.etag_origin = "https://cdn.example";
  journal.etag = "\"tag\"";
  journal.extents = {{0, kExtentBytes, 11}, {kExtentBytes, 5, 12}, {4 * kExtentBytes, 100, 13}};
  return journal;
}

Result<Journal> Parse(std::string_view bytes) {
  const Journal example = Example();
  return ParseJournal(bytes, example.hash, example.size);
}

TEST(Journal, ReadsWhatItWrote) {
  const auto read = Parse(EncodeJournal(Example()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, Example());
}

TEST(Journal, RefusesTheJournalOfAnotherFile) {
  const std::string bytes = EncodeJournal(Example());
  EXPECT_FALSE(ParseJournal(bytes, ContentHash{std::string(64, 'b')}, Example().size));
  EXPECT_FALSE(ParseJournal(bytes, Example().hash, Example().size + 1));
  EXPECT_FALSE(Parse(""));
}

// Cut anywhere: either no journal, or its first records and nothing else.
TEST(Journal, SurvivesATruncationAtEveryByte) {
  const Journal example = Example();
  const std::string bytes = EncodeJournal(example);
  const std::size_t header = EncodeHeader(example).size();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto read = Parse(std::string_view(bytes).substr(0, length));
    EXPECT_EQ(read.has_value(), length >= header) << length;
    if (!read) continue;
    ASSERT_LE(read->extents.size(), example.extents.size());
    EXPECT_TRUE(std::equal(read->extents.begin(), read->extents.end(), example.extents.begin())) << length;
    EXPECT_EQ(read->extents.size(), (length - header) / 40) << length;
  }
}

// One byte changed anywhere: never an extent that was not recorded, never another header.
TEST(Journal, SurvivesDamageAtEveryByte) {
  const Journal example = Example();
  const std::string bytes = EncodeJournal(example);
  const std::size_t header = EncodeHeader(example).size();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const unsigned change : {0x01U, 0x80U, 0xFFU}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ change);
      const auto read = Parse(damaged);
      EXPECT_EQ(read.has_value(), at >= header) << at;
      if (!read) continue;
      EXPECT_EQ(read->extents.size(), example.extents.size() - 1) << at;
      for (const Extent& extent : read->extents) {
        EXPECT_NE(std::ranges::find(example.extents, extent), example.extents.end()) << at;
      }
    }
  }
}

TEST(Journal, RecordsOfAnEarlierJournalDoNotPass) {
  Journal other = Example();
  other.salt = 0x9999;
  const auto read = Parse(EncodeHeader(Example()) + EncodeRecord(other, {0, 10, 1}));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->extents.empty());
}

TEST(Journal, TheLastOfOverlappingRecordsCounts) {
  Journal journal = Example();
  journal.extents.clear();
  std::string bytes = EncodeHeader(journal);
  for (const Extent& extent :
       {Extent{0, 100, 1}, Extent{100, 100, 2}, Extent{200, 100, 3}, Extent{50, 100, 4}}) {
    bytes += EncodeRecord(journal, extent);
  }
  const std::vector<Extent> expected = {{50, 100, 4}, {200, 100, 3}};
  EXPECT_EQ(Parse(bytes)->extents, expected);
}

TEST(Journal, RefusesExtentsOutsideTheFile) {
  Journal journal = Example();
  std::string bytes = EncodeHeader(journal);
  for (const Extent& extent :
       {Extent{journal.size, 1, 0}, Extent{journal.size - 1, 2, 0}, Extent{0, 0, 0},
        Extent{0, kExtentBytes + 1, 0}, Extent{UINT64_MAX, 2, 0}, Extent{UINT64_MAX - 1, UINT64_MAX, 0}}) {
    bytes += EncodeRecord(journal, extent);
  }
  EXPECT_TRUE(Parse(bytes)->extents.empty());
}

TEST(ByteSum, DependsOnEveryByteAndNotOnThePieces) {
  std::vector<std::byte> bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7);
  const std::uint64_t whole = ByteSum::Of(bytes);
  for (const std::size_t step : {1U, 3U, 31U, 32U, 33U, 999U}) {
    ByteSum sum;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      sum.Update(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
    }
    EXPECT_EQ(sum.Value(), whole) << step;
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] ^= std::byte{1};
    EXPECT_NE(ByteSum::Of(bytes), whole) << at;
    bytes[at] ^= std::byte{1};
  }
  EXPECT_NE(ByteSum::Of(std::span(bytes).first(999)), whole);
  EXPECT_NE(ByteSum::Of(std::vector<std::byte>(5)), ByteSum::Of(std::vector<std::byte>(6)));
}

TEST(ContentHasher, GivesTheHubsNames) {
  const std::string text = "hello\n";
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
  ContentHasher git(false, text.size());
  git.Update(bytes);
  EXPECT_EQ(git.Finish().hex, "ce013625030ba8dba906f756967f9e9ca394464a");  // git hash-object
  ContentHasher sha(true, text.size());
  sha.Update(bytes);
  EXPECT_EQ(sha.Finish().hex,
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");  // sha256sum
}

// Against a plain array of flags.
TEST(RangeSet, AgreesWithASetOfPositions) {
  RangeSet set;
  std::vector<bool> flags(64);
  std::uint32_t random = 1;
  const auto next = [&random](std::uint32_t below) {
    random = random * 1664525 + 1013904223;
    return (random >> 8) % below;
  };
  for (int round = 0; round < 3000; ++round) {
    const std::uint64_t begin = next(64);
    const std::uint64_t end = begin + next(static_cast<std::uint32_t>(65 - begin));
    const bool add = next(2) == 0;
    add ? set.Add({begin, end}) : set.Remove({begin, end});
    std::fill(flags.begin() + static_cast<long>(begin), flags.begin() + static_cast<long>(end), add);
    ASSERT_EQ(set.bytes(), static_cast<std::uint64_t>(std::ranges::count(flags, true)));
    std::vector<bool> seen(64);
    for (const ByteRange& range : set.Ranges()) {
      std::fill(seen.begin() + static_cast<long>(range.begin), seen.begin() + static_cast<long>(range.end),
                true);
    }
    ASSERT_EQ(seen, flags);
    for (const ByteRange& range : set.Missing({3, 60})) {
      for (std::uint64_t i = range.begin; i < range.end; ++i) {
        ASSERT_FALSE(seen[i]);
        seen[i] = true;
      }
    }
    ASSERT_EQ(std::count(seen.begin() + 3, seen.begin() + 60, true), 57);
    const std::uint64_t at = next(64);
    std::uint64_t run = at;
    while (run < 64 && flags[run]) ++run;
    ASSERT_EQ(set.RunEnd(at), run);
  }
}

}  // namespace
}  // namespace gptoss::hub
