// Token bytes by id and ids by bytes: one arena, one open-addressing table, no string per token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gptoss {

// Filled once, then read from any thread.
class Vocabulary {
 public:
  void Reserve(std::size_t tokens, std::size_t bytes);
  // The next id (0, 1, 2 …) gets these bytes. False if they are empty or have an id already.
  bool Add(std::string_view bytes);

  // -1 when there is none.
  std::int32_t Find(std::string_view bytes) const;
  // Of two single bytes, the commonest question of all: a table.
  std::int32_t FindPair(unsigned char a, unsigned char b) const { return pairs_[std::size_t{a} * 256 + b]; }
  std::int32_t size() const { return static_cast<std::int32_t>(ends_.size()); }
  std::string_view Bytes(std::int32_t id) const {
    const std::uint32_t begin = id == 0 ? 0 : ends_[static_cast<std::size_t>(id) - 1];
    return std::string_view(arena_).substr(begin, ends_[static_cast<std::size_t>(id)] - begin);
  }
  // Appends the bytes of ids up to the first that is not in here; returns how many those were.
  std::size_t AppendBytes(std::span<const std::int32_t> ids, std::string& out) const;
  std::size_t longest() const { return longest_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = -1;
  };
  static std::uint64_t Hash(std::string_view bytes);
  void Grow(std::size_t slots);

  // Most tokens are shorter than this; so many bytes are copied without a look at the length.
  static constexpr std::size_t kBlind = 16;
  std::string arena_;  // and kBlind bytes behind the last token
  std::vector<std::uint32_t> ends_;
  std::vector<Slot> slots_;
  std::vector<std::int32_t> pairs_ = std::vector<std::int32_t>(65536, -1);
  std::size_t longest_ = 0;
};

}  // namespace gptoss
