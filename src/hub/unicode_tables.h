// Case folding and canonical decomposition of single characters, for comparing file names.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gptoss::hub::internal {

// `code_point` compares as kFoldPool[offset, offset + length).
struct FoldEntry {
  char32_t code_point;
  std::uint16_t offset;
  std::uint8_t length;
};
extern const char32_t kFoldPool[];
extern const FoldEntry kFoldEntries[];  // sorted by code_point
extern const std::size_t kFoldCount;

// Canonical combining class (not 0) of the characters first..last.
struct CombiningRange {
  char32_t first, last;
  std::uint8_t combining_class;
};
extern const CombiningRange kCombiningRanges[];  // sorted
extern const std::size_t kCombiningCount;

}  // namespace gptoss::hub::internal
