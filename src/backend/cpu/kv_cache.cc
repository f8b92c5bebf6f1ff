#include "backend/cpu/kv_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace gptoss {
namespace {

// Round to nearest, ties to even; NaN stays NaN because it is never made infinite here.
std::uint16_t ToBf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

}  // namespace

KvCache::KvCache(const ModelConfig& c, std::int64_t max_tokens, std::int64_t batch, bool f32)
    : kv_heads_(c.kv_heads),
      head_dim_(c.head_dim),
      window_(c.window),
      max_tokens_(max_tokens),
      // A whole batch is written before its first row is read, so the ring needs the window and the batch.
      // What that leaves beyond the window also lets a sequence go back that far without a snapshot.
      ring_(std::min(max_tokens, c.window + batch)),
      row_bytes_(c.head_dim * (f32 ? 4 : 2)),
      f32_(f32) {
  for (const LayerType type : c.layer_types) {
    Layer layer;
    layer.window = type == LayerType::kSlidingWindow;
    layers_.push_back(std::move(layer));
  }
}

std::uint64_t KvCache::FullBytes(const ModelConfig& c, std::int64_t max_tokens, std::int64_t batch,
                                 bool f32) {
  const KvCache empty(c, max_tokens, batch, f32);
  std::uint64_t boundary = 0;
  for (const Layer& layer : empty.layers_) {
    if (layer.window) boundary += static_cast<std::uint64_t>(c.window * c.kv_heads * 2 * empty.row_bytes_);
  }
  return empty.BytesToReserve(max_tokens) + boundary * kBoundaries;
}

std::uint64_t KvCache::BytesToReserve(std::int64_t count) const {
  std::uint64_t bytes = 0;
  for (const Layer& layer : layers_) {
    const std::int64_t positions = layer.window ? ring_ : kBlock;
    const std::int64_t blocks = layer.window ? 1 : (length_ + count + kBlock - 1) / kBlock;
    const std::int64_t more =
        std::max<std::int64_t>(0, blocks - static_cast<std::int64_t>(layer.blocks.size()));
    bytes += static_cast<std::uint64_t>(more * kv_heads_ * 2 * positions * row_bytes_);
  }
  return bytes;
}

std::uint64_t KvCache::bytes() const {
  std::uint64_t total = 0;
  for (const Layer& layer : layers_) {
    for (const auto& block : layer.blocks) total += block.size();
  }
  for (const Boundary& boundary : boundaries_) total += boundary.rows.size();
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
      const std::int64_t positions = layer.window ? ring_ : kBlock;
      const std::int64_t blocks = layer.window ? 1 : (length_ + count + kBlock - 1) / kBlock;
      while (static_cast<std::int64_t>(layer.blocks.size()) < blocks) {
        layer.blocks.emplace_back(static_cast<std::size_t>(kv_heads_ * 2 * positions * row_bytes_));
      }
    }
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("no memory for the context beyond {} tokens; use a smaller context", length_));
  }
  return {};
}

std::byte* KvCache::Row(std::int64_t layer, std::int64_t position, std::int64_t h, int values) {
  Layer& l = layers_[static_cast<std::size_t>(layer)];
  const std::int64_t positions = l.window ? ring_ : kBlock;
  const std::int64_t block = l.window ? 0 : position / kBlock;
  const std::int64_t slot = position % positions;
  return l.blocks[static_cast<std::size_t>(block)].data() +
         ((h * 2 + values) * positions + slot) * row_bytes_;
}

void KvCache::Write(std::int64_t layer, std::int64_t position, std::int64_t h, const float* k,
                    const float* v) {
  for (int values = 0; values < 2; ++values) {
    const float* from = values == 0 ? k : v;
    std::byte* to = Row(layer, position, h, values);
    if (f32_) {
      std::memcpy(to, from, static_cast<std::size_t>(row_bytes_));
      continue;
    }
    for (std::int64_t i = 0; i < head_dim_; ++i) {
      const std::uint16_t bits = ToBf16(from[i]);
      std::memcpy(to + 2 * i, &bits, 2);
    }
  }
}

void KvCache::NoteWritten(std::int64_t count) { high_water_ = std::max(high_water_, length_ + count); }

void KvCache::Advance(std::int64_t count) { length_ += count; }

void KvCache::Segments(std::int64_t layer, std::int64_t position, std::int64_t h,
                       std::vector<KvSegment>& out) const {
  out.clear();
  const bool window = layers_[static_cast<std::size_t>(layer)].window;
  const std::int64_t positions = window ? ring_ : kBlock;
  for (std::int64_t at = window ? WindowStart(position + 1) : 0; at <= position;) {
    const std::int64_t count = std::min(position + 1 - at, positions - at % positions);
    out.push_back({Row(layer, at, h, 0), Row(layer, at, h, 1), count});
    at += count;
  }
}

// The oldest position that the row before `length` sees through the window.
std::int64_t KvCache::WindowStart(std::int64_t length) const {
  return std::max<std::int64_t>(0, length - window_);
}

template <typename Copy>
void KvCache::ForBoundaryRows(std::int64_t length, Copy&& copy) {
  std::size_t offset = 0;
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    if (!layers_[layer].window) continue;
    for (std::int64_t position = WindowStart(length); position < length; ++position) {
      for (std::int64_t h = 0; h < kv_heads_; ++h) {
        for (int values = 0; values < 2; ++values, offset += static_cast<std::size_t>(row_bytes_)) {
          copy(Row(static_cast<std::int64_t>(layer), position, h, values), offset);
        }
      }
    }
  }
}

void KvCache::MarkBoundary() {
  if (length_ == 0 || (!boundaries_.empty() && boundaries_.back().length == length_)) return;
  std::size_t windows = 0;
  for (const Layer& layer : layers_) windows += layer.window ? 1 : 0;
  Boundary boundary{length_, {}};
  try {
    boundary.rows.resize(
        windows * static_cast<std::size_t>((length_ - WindowStart(length_)) * kv_heads_ * 2 * row_bytes_));
    boundaries_.push_back(std::move(boundary));
  } catch (const std::bad_alloc&) {
    return;  // a snapshot is a convenience; without it more is computed again
  }
  std::byte* rows = boundaries_.back().rows.data();
  ForBoundaryRows(length_, [&](const std::byte* row, std::size_t offset) {
    std::memcpy(rows + offset, row, static_cast<std::size_t>(row_bytes_));
  });
  if (boundaries_.size() > kBoundaries) boundaries_.pop_front();
}

std::int64_t KvCache::Truncate(std::int64_t length) {
  length = std::clamp<std::int64_t>(length, 0, length_);
  while (!boundaries_.empty() && boundaries_.back().length > length) boundaries_.pop_back();
  // The next row, at `length`, needs window − 1 older ones; has the ring still got them?
  const std::int64_t oldest_kept = std::max<std::int64_t>(0, high_water_ - ring_);
  if (length == 0 || std::max<std::int64_t>(0, length - (window_ - 1)) >= oldest_kept) {
    length_ = length;
    if (length == 0) high_water_ = 0;
    return length_;
  }
  if (boundaries_.empty()) {
    length_ = high_water_ = 0;
    return 0;
  }
  length_ = high_water_ = boundaries_.back().length;
  const std::byte* rows = boundaries_.back().rows.data();
  ForBoundaryRows(length_, [&](std::byte* row, std::size_t offset) {
    std::memcpy(row, rows + offset, static_cast<std::size_t>(row_bytes_));
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
