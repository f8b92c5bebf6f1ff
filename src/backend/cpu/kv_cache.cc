#include "backend/cpu/kv_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <new>

namespace gptoss {
namespace {

// Round to nearest, ties to even; NaN stays NaN because it is never made infinite here.
std::uint16_t ToBf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// Stores `count` floats `stride` elements apart.
void StoreBf16(const float* from, std::int64_t count, std::int64_t stride, std::byte* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint16_t bits = ToBf16(from[i]);
    std::memcpy(to + 2 * i * stride, &bits, 2);
  }
}

// Symmetric codes per group of dimensions. The scale is rounded to BF16 before the codes are made, so that it
// adds no error of its own; it is NaN where the numbers are none.
void StoreI8(const float* from, std::int64_t count, std::int64_t stride, std::int64_t group, std::byte* codes,
             std::byte* scales, std::int64_t scale_stride) {
  for (std::int64_t g = 0; g < count / group; ++g) {
    const float* x = from + g * group;
    float top = 0;
    bool finite = true;
    for (std::int64_t i = 0; i < group; ++i) {
      finite = finite && std::isfinite(x[i]);
      top = std::max(top, std::fabs(x[i]));
    }
    const std::uint16_t bits = finite ? ToBf16(top / 127.0f) : 0x7FC0;
    std::memcpy(scales + 2 * g * scale_stride, &bits, 2);
    const float scale = std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
    const float inverse = finite && scale > 0 ? 1.0f / scale : 0.0f;
    for (std::int64_t i = 0; i < group; ++i) {
      const float code = finite ? std::clamp(std::nearbyint(x[i] * inverse), -127.0f, 127.0f) : 0.0f;
      codes[(g * group + i) * stride] = static_cast<std::byte>(static_cast<std::int8_t>(code));
    }
  }
}

std::int64_t BlockStart(std::int64_t position) { return position / kKvBlock * kKvBlock; }

}  // namespace

KvCache::KvCache(const ModelConfig& c, std::int64_t max_tokens, std::int64_t batch, KvFormat format)
    : kv_heads_(c.kv_heads),
      head_dim_(c.head_dim),
      window_(c.window),
      max_tokens_(max_tokens),
      // A whole batch is written before its first row is read, so the ring needs the window and the batch.
      // What that leaves beyond the window also lets a sequence go back that far without a snapshot.
      ring_(BlockStart(std::min(max_tokens, c.window + batch) + kKvBlock - 1)),
      half_bytes_(KvHalfBytes(format, c.head_dim)),
      format_(format) {
  for (const LayerType type : c.layer_types) {
    Layer layer;
    layer.window = type == LayerType::kSlidingWindow;
    layers_.push_back(std::move(layer));
  }
}

std::uint64_t KvCache::FullBytes(const ModelConfig& c, std::int64_t max_tokens, std::int64_t batch,
                                 KvFormat format) {
  const KvCache empty(c, max_tokens, batch, format);
  // The most blocks that a window touches.
  const std::int64_t longest = std::min(max_tokens, c.window + kKvBlock - 1);
  return empty.BytesToReserve(max_tokens) + empty.BoundaryBytes(longest) * kBoundaries;
}

std::uint64_t KvCache::BytesToReserve(std::int64_t count) const {
  std::uint64_t bytes = 0;
  for (const Layer& layer : layers_) {
    const std::int64_t wanted = layer.window ? 1 : (length_ + count + kGrowth - 1) / kGrowth;
    const auto have = static_cast<std::int64_t>(layer.pieces.size());
    bytes += static_cast<std::uint64_t>(std::max<std::int64_t>(0, wanted - have)) * PieceBytes(layer);
  }
  return bytes;
}

std::uint64_t KvCache::bytes() const {
  std::uint64_t total = 0;
  for (const Layer& layer : layers_) {
    for (const auto& piece : layer.pieces) total += piece.size();
  }
  for (const Boundary& boundary : boundaries_) total += boundary.blocks.size();
  return total;
}

Status KvCache::Reserve(std::int64_t count) {
  if (length_ + count > max_tokens_) {
    return Fail(ErrorCode::kOutOfRange,
                fmt::format("the context holds {} tokens, and {} more do not fit after {}", max_tokens_,
                            count, length_));
  }
  try {
    for (Layer& layer : layers_) {
      const auto wanted =
          static_cast<std::size_t>(layer.window ? 1 : (length_ + count + kGrowth - 1) / kGrowth);
      while (layer.pieces.size() < wanted) layer.pieces.emplace_back(PieceBytes(layer));
    }
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("no memory for the context beyond {} tokens; use a smaller context", length_));
  }
  return {};
}

std::byte* KvCache::Block(std::int64_t layer, std::int64_t position, std::int64_t h) {
  Layer& l = layers_[static_cast<std::size_t>(layer)];
  const std::int64_t span = Span(l);
  const std::int64_t piece = l.window ? 0 : position / span;
  const std::int64_t block = h * (span / kKvBlock) + position % span / kKvBlock;
  return l.pieces[static_cast<std::size_t>(piece)].data() + block * 2 * half_bytes_;
}

void KvCache::Write(std::int64_t layer, std::int64_t position, std::int64_t h, const float* k,
                    const float* v) {
  std::byte* keys = Block(layer, position, h);
  std::byte* values = keys + half_bytes_;
  const std::int64_t slot = position % kKvBlock, d = head_dim_, group = KvGroup(d);
  switch (format_) {
    case KvFormat::kF32:
      for (std::int64_t i = 0; i < d; ++i) std::memcpy(keys + 4 * (i * kKvBlock + slot), k + i, 4);
      std::memcpy(values + 4 * slot * d, v, static_cast<std::size_t>(4 * d));
      return;
    case KvFormat::kBF16:
      StoreBf16(k, d, kKvBlock, keys + 2 * slot);
      StoreBf16(v, d, 1, values + 2 * slot * d);
      return;
    case KvFormat::kI8:
      StoreI8(k, d, kKvBlock, group, keys + slot, keys + kKvBlock * d + 2 * slot, kKvBlock);
      StoreI8(v, d, 1, group, values + slot * d, values + kKvBlock * d + 2 * slot * (d / group), 1);
      return;
  }
}

void KvCache::NoteWritten(std::int64_t count) { high_water_ = std::max(high_water_, length_ + count); }

void KvCache::Advance(std::int64_t count) { length_ += count; }

std::int64_t KvCache::Blocks(std::int64_t layer, std::int64_t begin, std::int64_t end, std::int64_t h,
                             std::vector<KvBlock>& out) const {
  out.clear();
  const std::int64_t first = window(layer) == 0 ? 0 : BlockStart(WindowStart(begin + 1));
  for (std::int64_t at = first; at < end; at += kKvBlock) {
    const std::byte* block = Block(layer, at, h);
    out.push_back({block, block + half_bytes_});
  }
  return first;
}

// The oldest position that the row before `length` sees through the window.
std::int64_t KvCache::WindowStart(std::int64_t length) const {
  return std::max<std::int64_t>(0, length - window_);
}

std::uint64_t KvCache::BoundaryBytes(std::int64_t length) const {
  const std::int64_t first = BlockStart(WindowStart(length));
  const std::int64_t blocks = (length - first + kKvBlock - 1) / kKvBlock;
  const auto windows = std::ranges::count_if(layers_, [](const Layer& layer) { return layer.window; });
  return static_cast<std::uint64_t>(windows * kv_heads_ * blocks * 2 * half_bytes_);
}

template <typename Copy>
void KvCache::ForBoundaryBlocks(std::int64_t length, Copy&& copy) {
  const auto bytes = static_cast<std::size_t>(2 * half_bytes_);
  std::size_t offset = 0;
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    if (!layers_[layer].window) continue;
    for (std::int64_t at = BlockStart(WindowStart(length)); at < length; at += kKvBlock) {
      for (std::int64_t h = 0; h < kv_heads_; ++h, offset += bytes)
        copy(Block(static_cast<std::int64_t>(layer), at, h), offset, bytes);
    }
  }
}

void KvCache::MarkBoundary() {
  if (length_ == 0 || (!boundaries_.empty() && boundaries_.back().length == length_)) return;
  Boundary boundary{length_, {}};
  try {
    boundary.blocks.resize(BoundaryBytes(length_));
    boundaries_.push_back(std::move(boundary));
  } catch (const std::bad_alloc&) {
    return;  // a snapshot is a convenience; without it more is computed again
  }
  std::byte* blocks = boundaries_.back().blocks.data();
  ForBoundaryBlocks(length_, [&](const std::byte* block, std::size_t offset, std::size_t bytes) {
    std::memcpy(blocks + offset, block, bytes);
  });
  if (boundaries_.size() > kBoundaries) boundaries_.pop_front();
}

std::int64_t KvCache::Truncate(std::int64_t length) {
  length = std::clamp<std::int64_t>(length, 0, length_);
  while (!boundaries_.empty() && boundaries_.back().length > length) boundaries_.pop_back();
  // The next row, at `length`, needs window − 1 older ones; has the ring still got them?
  const std::int64_t oldest_kept = std::max(restored_, high_water_ - ring_);
  if (length == 0 || std::max<std::int64_t>(0, length - (window_ - 1)) >= oldest_kept) {
    length_ = length;
    if (length == 0) high_water_ = restored_ = 0;
    return length_;
  }
  if (boundaries_.empty()) {
    length_ = high_water_ = restored_ = 0;
    return 0;
  }
  length_ = high_water_ = boundaries_.back().length;
  restored_ = WindowStart(length_);
  const std::byte* blocks = boundaries_.back().blocks.data();
  ForBoundaryBlocks(length_, [&](std::byte* block, std::size_t offset, std::size_t bytes) {
    std::memcpy(block, blocks + offset, bytes);
  });
  return length_;
}

std::unique_ptr<KvCache> KvCache::Clone() const {
  try {
    return std::make_unique<KvCache>(*this);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace gptoss
