#include "tokenizer/bpe.h"

#include <algorithm>
#include <limits>
#include <queue>

namespace gptoss {
namespace {

constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();
// Up to here scanning all pairs beats a heap.
constexpr std::size_t kShort = 48;

// Rank of the bytes [begin, end), kNone when they are no entry.
std::int32_t RankOf(const Vocabulary& vocabulary, std::string_view piece, std::size_t begin,
                    std::size_t end) {
  std::int32_t id = -1;
  if (end - begin == 2) {
    id = vocabulary.FindPair(static_cast<unsigned char>(piece[begin]),
                             static_cast<unsigned char>(piece[begin + 1]));
  } else {
    id = vocabulary.Find(piece.substr(begin, end - begin));
  }
  return id < 0 ? kNone : id;
}

void Emit(const Vocabulary& vocabulary, const std::int32_t (&byte_ids)[256], std::string_view part,
          std::vector<std::int32_t>& out) {
  out.push_back(part.size() == 1 ? byte_ids[static_cast<unsigned char>(part[0])] : vocabulary.Find(part));
}

void MergeShort(const Vocabulary& vocabulary, const std::int32_t (&byte_ids)[256], std::string_view piece,
                std::vector<std::int32_t>& out) {
  struct Part {
    std::uint32_t begin;
    std::int32_t rank;  // of this part joined with the next one
  };
  Part parts[kShort + 1];
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) {
    parts[i] = {static_cast<std::uint32_t>(i), i + 1 < count ? RankOf(vocabulary, piece, i, i + 2) : kNone};
  }
  parts[count] = {static_cast<std::uint32_t>(piece.size()), kNone};
  while (true) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < count; ++i) {
      if (parts[i].rank < parts[best].rank) best = i;
    }
    if (count == 0 || parts[best].rank == kNone) break;
    std::copy(parts + best + 2, parts + count + 1, parts + best + 1);
    --count;
    const auto rank_at = [&](std::size_t i) {
      return i + 1 < count ? RankOf(vocabulary, piece, parts[i].begin, parts[i + 2].begin) : kNone;
    };
    parts[best].rank = rank_at(best);
    if (best > 0) parts[best - 1].rank = rank_at(best - 1);
  }
  for (std::size_t i = 0; i < count; ++i) {
    Emit(vocabulary, byte_ids, piece.substr(parts[i].begin, parts[i + 1].begin - parts[i].begin), out);
  }
}

// A linked list of parts and a heap of pairs. A heap entry is stale when its pair no longer has that extent.
void MergeLong(const Vocabulary& vocabulary, const std::int32_t (&byte_ids)[256], std::string_view piece,
               std::vector<std::int32_t>& out) {
  const std::size_t n = piece.size();
  std::vector<std::uint32_t> next(n + 1), previous(n + 1);  // of the part that begins at this byte
  std::vector<bool> alive(n + 1, true);
  struct Pair {
    std::int32_t rank;
    std::uint32_t begin, end;
    bool operator>(const Pair& o) const { return rank != o.rank ? rank > o.rank : begin > o.begin; }
  };
  std::priority_queue<Pair, std::vector<Pair>, std::greater<>> pairs;
  const auto push = [&](std::size_t begin) {
    if (begin >= n || next[begin] >= n) return;
    const std::uint32_t end = next[next[begin]];
    if (const std::int32_t rank = RankOf(vocabulary, piece, begin, end); rank != kNone) {
      pairs.push({rank, static_cast<std::uint32_t>(begin), end});
    }
  };
  for (std::size_t i = 0; i <= n; ++i) {
    next[i] = static_cast<std::uint32_t>(std::min(i + 1, n));
    previous[i] = static_cast<std::uint32_t>(i == 0 ? 0 : i - 1);
  }
  for (std::size_t i = 0; i + 1 < n; ++i) push(i);
  while (!pairs.empty()) {
    const Pair pair = pairs.top();
    pairs.pop();
    if (!alive[pair.begin] || next[pair.begin] >= n || next[next[pair.begin]] != pair.end) continue;
    alive[next[pair.begin]] = false;
    next[pair.begin] = pair.end;
    if (pair.end < n) previous[pair.end] = pair.begin;
    push(pair.begin);
    if (pair.begin > 0) push(previous[pair.begin]);
  }
  for (std::size_t i = 0; i < n; i = next[i]) Emit(vocabulary, byte_ids, piece.substr(i, next[i] - i), out);
}

}  // namespace

void EncodePiece(const Vocabulary& vocabulary, const std::int32_t (&byte_ids)[256], std::string_view piece,
                 std::vector<std::int32_t>& out) {
  if (piece.size() == 1) {
    out.push_back(byte_ids[static_cast<unsigned char>(piece[0])]);
  } else if (const std::int32_t whole = vocabulary.Find(piece); whole >= 0) {
    out.push_back(whole);
  } else if (piece.size() <= kShort) {
    MergeShort(vocabulary, byte_ids, piece, out);
  } else {
    MergeLong(vocabulary, byte_ids, piece, out);
  }
}

}  // namespace gptoss
