#include "hub/recent_bytes.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace gptoss::hub {

std::size_t Block::Append(std::span<const std::byte> bytes) {
  const std::size_t taken = std::min(bytes.size(), kFastBlockBytes - size_);
  std::memcpy(bytes_.get() + size_, bytes.data(), taken);
  size_ += taken;
  return taken;
}

BlockPointer RecentBytes::Take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      BlockPointer block = std::move(free_.back());
      free_.pop_back();
      return block;
    }
    if (made_ >= 2 * most_ && !kept_.empty()) {
      BlockPointer block = std::move(kept_.front().block);
      kept_.erase(kept_.begin());
      return block;
    }
    ++made_;
  }
  return std::make_unique<Block>();
}

void RecentBytes::Keep(const void* owner, BlockPointer block) {
  const std::lock_guard lock(mutex_);
  kept_.push_back({owner, std::move(block)});
  if (kept_.size() <= most_) return;
  free_.push_back(std::move(kept_.front().block));
  kept_.erase(kept_.begin());
}

BlockPointer RecentBytes::Claim(const void* owner, std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(
      kept_, [&](const Kept& kept) { return kept.owner == owner && kept.block->offset() == offset; });
  if (found == kept_.end()) return nullptr;
  BlockPointer block = std::move(found->block);
  kept_.erase(found);
  return block;
}

void RecentBytes::GiveBack(BlockPointer block) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(block));
}

void RecentBytes::Forget(const void* owner) {
  const std::lock_guard lock(mutex_);
  for (Kept& kept : kept_) {
    if (kept.owner == owner) free_.push_back(std::move(kept.block));
  }
  std::erase_if(kept_, [](const Kept& kept) { return kept.block == nullptr; });
}

}  // namespace gptoss::hub
