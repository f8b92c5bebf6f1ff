// A set of byte positions as ranges. A value.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace gptoss::hub {

struct ByteRange {
  std::uint64_t begin = 0, end = 0;  // end is not part of it
  std::uint64_t size() const { return end - begin; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

class RangeSet {
 public:
  void Add(ByteRange range);
  void Remove(ByteRange range);
  void Clear();
  std::uint64_t bytes() const { return bytes_; }
  // End of the run that holds `position`, or `position` itself if it is not in the set.
  std::uint64_t RunEnd(std::uint64_t position) const;
  // What of `within` is not in the set, in order.
  std::vector<ByteRange> Missing(ByteRange within) const;
  std::vector<ByteRange> Ranges() const;

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // begin -> end; neither overlap nor touch
  std::uint64_t bytes_ = 0;
};

}  // namespace gptoss::hub
