// The journal of a partial file: which bytes of it are there, each stretch with a sum that proves it.
//
// A header, then records of a fixed size, appended only after their bytes were written. Nothing is believed
// when it is read back: a record must have its own checksum, and its bytes must have its sum. So it does not
// matter where a power cut, a full disk or a stray program hit: what can be proved is used again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "hub/repository.h"

namespace gptoss::hub {

inline constexpr std::uint64_t kExtentBytes = 1ULL << 20;  // no extent crosses a multiple of this
inline constexpr std::uint64_t kMostJournalBytes = 64ULL << 20;

struct Extent {
  std::uint64_t offset = 0, length = 0;
  std::uint64_t sum = 0;  // ByteSum of the bytes
  friend bool operator==(const Extent&, const Extent&) = default;
};

struct Journal {
  ContentHash hash;
  std::uint64_t size = 0;
  std::uint64_t salt = 0;                 // random, of this journal; records of another one do not pass
  int copy = 1;                           // 2: the first whole copy had a wrong hash
  std::vector<std::uint64_t> first_sums;  // of the first copy, one per kExtentBytes, to say where it differed
  std::string etag_origin, etag;          // strong ETag that this origin gave for the content
  std::vector<Extent> extents;            // disjoint; after parsing sorted by offset

  friend bool operator==(const Journal&, const Journal&) = default;
};

std::string EncodeHeader(const Journal& journal);
std::string EncodeRecord(const Journal& journal, const Extent& extent);
std::string EncodeJournal(const Journal& journal);  // header and all records

// kDataLoss: the header is damaged or of another file. Damaged records are left out; of overlapping ones the
// last counts.
Result<Journal> ParseJournal(std::string_view bytes, const ContentHash& hash, std::uint64_t size);
}  // namespace gptoss::hub
