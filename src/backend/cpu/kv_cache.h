// Keys and values of one sequence: full layers in blocks that are added as it grows, window layers as rings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "backend/cpu/kernels.h"
#include "base/error.h"
#include "model/config.h"

namespace gptoss {

// Elements are BF16 (or F32 in precise mode): BF16 has the range of float, so no key can overflow as it could
// in F16. Per layer and key-value head positions are contiguous, [position, head_dim]. One thread writes;
// several may read while nobody writes.
class KvCache {
 public:
  // `batch`: the most rows that are written before they are read.
  KvCache(const ModelConfig& config, std::int64_t max_tokens, std::int64_t batch, bool f32);

  std::int64_t length() const { return length_; }
  std::int64_t max_tokens() const { return max_tokens_; }
  std::uint64_t bytes() const;

  // What a cache like this one takes when it is full, its snapshots included.
  static std::uint64_t FullBytes(const ModelConfig& config, std::int64_t max_tokens, std::int64_t batch,
                                 bool f32);
  // What Reserve(count) would add.
  std::uint64_t BytesToReserve(std::int64_t count) const;

  // Makes room for positions [length, length + count). kResourceExhausted when memory is short.
  Status Reserve(std::int64_t count);
  // Stores head `h` of `layer` at a reserved `position`; k and v have head_dim floats.
  void Write(std::int64_t layer, std::int64_t position, std::int64_t h, const float* k, const float* v);
  // The next `count` reserved positions are about to be written, so rings lose what lies a ring behind them.
  void NoteWritten(std::int64_t count);
  // Positions become part of the sequence.
  void Advance(std::int64_t count);

  // What the query at `position` sees of one head, oldest first, its own position included.
  void Segments(std::int64_t layer, std::int64_t position, std::int64_t h, std::vector<KvSegment>& out) const;

  void MarkBoundary();
  // See Backend::Truncate.
  std::int64_t Truncate(std::int64_t length);
  // A copy; nullptr when memory is short.
  std::unique_ptr<KvCache> Clone() const;

 private:
  static constexpr std::int64_t kBlock = 256;  // positions per block of a full layer
  static constexpr std::size_t kBoundaries = 6;

  // [kv_head, 2 (keys, values), positions, head_dim]
  struct Layer {
    bool window = false;
    std::vector<std::vector<std::byte>> blocks;  // a ring is one block of ring_ positions
  };
  struct Boundary {
    std::int64_t length;
    std::vector<std::byte> rows;  // the window layers' newest positions
  };

  std::byte* Row(std::int64_t layer, std::int64_t position, std::int64_t h, int values);
  const std::byte* Row(std::int64_t layer, std::int64_t position, std::int64_t h, int values) const {
    return const_cast<KvCache*>(this)->Row(layer, position, h, values);
  }
  std::int64_t WindowStart(std::int64_t length) const;
  template <typename Copy>
  void ForBoundaryRows(std::int64_t length, Copy&& copy);

  std::int64_t kv_heads_, head_dim_, window_, max_tokens_, ring_, row_bytes_;
  bool f32_;
  std::int64_t length_ = 0;
  std::int64_t high_water_ = 0;  // rings have been overwritten up to here
  std::vector<Layer> layers_;
  std::deque<Boundary> boundaries_;
};

}  // namespace gptoss
