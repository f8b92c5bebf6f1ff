#include "hub/range_set.h"

#include <algorithm>
#include <iterator>

namespace gptoss::hub {

void RangeSet::Add(ByteRange range) {
  if (range.begin >= range.end) return;
  auto at = ranges_.upper_bound(range.begin);
  if (at != ranges_.begin() && std::prev(at)->second >= range.begin) --at;
  while (at != ranges_.end() && at->first <= range.end) {
    range.begin = std::min(range.begin, at->first);
    range.end = std::max(range.end, at->second);
    bytes_ -= at->second - at->first;
    at = ranges_.erase(at);
  }
  ranges_.emplace(range.begin, range.end);
  bytes_ += range.size();
}

void RangeSet::Remove(ByteRange range) {
  if (range.begin >= range.end) return;
  auto at = ranges_.upper_bound(range.begin);
  if (at != ranges_.begin() && std::prev(at)->second > range.begin) --at;
  while (at != ranges_.end() && at->first < range.end) {
    const ByteRange old{at->first, at->second};
    at = ranges_.erase(at);
    bytes_ -= old.size();
    if (old.begin < range.begin) {
      ranges_.emplace(old.begin, range.begin);
      bytes_ += range.begin - old.begin;
    }
    if (old.end > range.end) {
      ranges_.emplace(range.end, old.end);
      bytes_ += old.end - range.end;
    }
  }
}

void RangeSet::Clear() {
  ranges_.clear();
  bytes_ = 0;
}

std::uint64_t RangeSet::RunEnd(std::uint64_t position) const {
  const auto after = ranges_.upper_bound(position);
  if (after == ranges_.begin()) return position;
  return std::max(position, std::prev(after)->second);
}

std::vector<ByteRange> RangeSet::Missing(ByteRange within) const {
  std::vector<ByteRange> missing;
  std::uint64_t position = within.begin;
  while (position < within.end) {
    position = RunEnd(position);
    if (position >= within.end) break;
    const auto next = ranges_.upper_bound(position);
    const std::uint64_t end = next == ranges_.end() ? within.end : std::min(within.end, next->first);
    missing.push_back({position, end});
    position = end;
  }
  return missing;
}

std::vector<ByteRange> RangeSet::Ranges() const {
  std::vector<ByteRange> ranges;
  for (const auto& [begin, end] : ranges_) ranges.push_back({begin, end});
  return ranges;
}

}  // namespace gptoss::hub
