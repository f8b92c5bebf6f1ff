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

// BF16 has the range of float, so no key can overflow as it could in F16; kI8 takes little more than half of
// it. The layout within a block of kKvBlock positions is in kernels.h. Several threads may write different
// positions or heads, or read while nobody writes; all else is one thread's.
class KvCache {
 public:
  // `batch`: the most rows that are written before they are read.
  KvCache(const ModelConfig& config, std::int64_t max_tokens, std::int64_t batch, KvFormat format);

  std::int64_t length() const { return length_; }
  std::int64_t max_tokens() const { return max_tokens_; }
  std::uint64_t bytes() const;

  // What a cache like this one takes when it is full, its snapshots included.
  static std::uint64_t FullBytes(const ModelConfig& config, std::int64_t max_tokens, std::int64_t batch,
                                 KvFormat format);
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

  // The blocks of one head that hold what rows at positions [begin, end) see, oldest first. Returns the
  // position at which the first one starts.
  std::int64_t Blocks(std::int64_t layer, std::int64_t begin, std::int64_t end, std::int64_t h,
                      std::vector<KvBlock>& out) const;
  // So many positions does a row of the layer see; 0: all.
  std::int64_t window(std::int64_t layer) const {
    return layers_[static_cast<std::size_t>(layer)].window ? window_ : 0;
  }
  KvFormat format() const { return format_; }

  void MarkBoundary();
  // See Backend::Truncate.
  std::int64_t Truncate(std::int64_t length);
  // A copy; nullptr when memory is short.
  std::unique_ptr<KvCache> Clone() const;

 private:
  static constexpr std::int64_t kGrowth = 4 * kKvBlock;  // positions by which a full layer grows
  static constexpr std::size_t kBoundaries = 6;

  struct Layer {
    bool window = false;
    // Of `span` positions each: [kv_head, span / kKvBlock, keys and values]. A ring is one of them.
    std::vector<std::vector<std::byte>> pieces;
  };
  struct Boundary {
    std::int64_t length;
    std::vector<std::byte> blocks;  // of the window layers, those that hold the newest positions
  };

  std::int64_t Span(const Layer& layer) const { return layer.window ? ring_ : kGrowth; }
  std::uint64_t PieceBytes(const Layer& layer) const {
    return static_cast<std::uint64_t>(kv_heads_ * Span(layer) / kKvBlock * 2 * half_bytes_);
  }
  // The block that holds `position`: its keys, then its values.
  std::byte* Block(std::int64_t layer, std::int64_t position, std::int64_t h);
  const std::byte* Block(std::int64_t layer, std::int64_t position, std::int64_t h) const {
    return const_cast<KvCache*>(this)->Block(layer, position, h);
  }
  std::int64_t WindowStart(std::int64_t length) const;
  std::uint64_t BoundaryBytes(std::int64_t length) const;
  template <typename Copy>
  void ForBoundaryBlocks(std::int64_t length, Copy&& copy);

  std::int64_t kv_heads_, head_dim_, window_, max_tokens_, ring_, half_bytes_;
  KvFormat format_;
  std::int64_t length_ = 0;
  std::int64_t high_water_ = 0;  // rings have been overwritten up to here
  std::int64_t restored_ = 0;    // what is older than this was not in the snapshot that rings came back from
  std::vector<Layer> layers_;
  std::deque<Boundary> boundaries_;
};

}  // namespace gptoss
