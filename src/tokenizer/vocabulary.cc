#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gptoss {

// Multiply-and-fold over 8-byte words. Not meant against attackers: what is looked up are pieces, and a
// collision costs a comparison.
std::uint64_t Vocabulary::Hash(std::string_view bytes) {
  std::uint64_t hash = bytes.size() * 0x9E3779B97F4A7C15ULL;
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * 0xD6E8FEB86659FD93ULL;
    hash ^= hash >> 32;
  };
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    mix(word);
    bytes.remove_prefix(8);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  mix(word);
  return hash;
}

void Vocabulary::Reserve(std::size_t tokens, std::size_t bytes) {
  arena_.reserve(bytes + kBlind);
  ends_.reserve(tokens);
  Grow(std::bit_ceil(std::max<std::size_t>(64, tokens * 2)));
}

void Vocabulary::Grow(std::size_t slots) {
  slots_.assign(slots, {});
  for (std::int32_t id = 0; id < size(); ++id) {
    const std::uint64_t hash = Hash(Bytes(id));
    std::size_t at = hash & (slots - 1);
    while (slots_[at].id >= 0) at = (at + 1) & (slots - 1);
    slots_[at] = {static_cast<std::uint32_t>(hash >> 32), id};
  }
}

bool Vocabulary::Add(std::string_view bytes) {
  if (bytes.empty() || Find(bytes) >= 0) return false;
  if (ends_.size() * 2 >= slots_.size()) Grow(std::max<std::size_t>(64, slots_.size() * 2));
  const std::int32_t id = size();
  const std::size_t begin = ends_.empty() ? 0 : ends_.back(), end = begin + bytes.size();
  arena_.resize(end + kBlind);
  std::memcpy(arena_.data() + begin, bytes.data(), bytes.size());
  ends_.push_back(static_cast<std::uint32_t>(end));
  const std::uint64_t hash = Hash(bytes);
  std::size_t at = hash & (slots_.size() - 1);
  while (slots_[at].id >= 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {static_cast<std::uint32_t>(hash >> 32), id};
  longest_ = std::max(longest_, bytes.size());
  if (bytes.size() == 2) {
    pairs_[std::size_t{static_cast<unsigned char>(bytes[0])} * 256 + static_cast<unsigned char>(bytes[1])] =
        id;
  }
  return true;
}

std::int32_t Vocabulary::Find(std::string_view bytes) const {
  if (slots_.empty() || bytes.size() > longest_) return -1;
  const std::uint64_t hash = Hash(bytes);
  for (std::size_t at = hash & (slots_.size() - 1); slots_[at].id >= 0; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].hash == static_cast<std::uint32_t>(hash >> 32) && Bytes(slots_[at].id) == bytes)
      return slots_[at].id;
  }
  return -1;
}

// Per token a length and a copy of 16 bytes: appending each to the string took 11 ns a token instead of 4.
std::size_t Vocabulary::AppendBytes(std::span<const std::int32_t> ids, std::string& out) const {
  constexpr std::size_t kBatch = 1024;
  std::size_t done = 0;
  while (done < ids.size()) {
    const auto batch = ids.subspan(done, std::min(kBatch, ids.size() - done));
    std::size_t count = 0, bytes = 0;
    for (; count < batch.size() && batch[count] >= 0 && batch[count] < size(); ++count)
      bytes += Bytes(batch[count]).size();
    const std::size_t before = out.size();
    out.resize_and_overwrite(before + bytes + kBlind, [&](char* data, std::size_t) {
      char* to = data + before;
      for (const std::int32_t id : batch.first(count)) {
        const std::string_view token = Bytes(id);
        std::memcpy(to, token.data(), kBlind);
        if (token.size() > kBlind) std::memcpy(to, token.data(), token.size());
        to += token.size();
      }
      return before + bytes;
    });
    done += count;
    if (count < batch.size()) break;
  }
  return done;
}

}  // namespace gptoss
