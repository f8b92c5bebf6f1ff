// The bytes that were written last, for the hash that follows close behind: it need not read them back.
// Blocks are reused, so that no page is touched for the first time twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace gptoss::hub {

// Small enough to be in a cache still when the hash comes and to cost little in a crash, large enough that
// nobody waits for a lock. On a fast line threads and disks are woken too often with that: 2.76 s for 2 GB on
// two cores, 2.58 s with the other.
inline constexpr std::size_t kBlockBytes = 256 * 1024;
inline constexpr std::size_t kFastBlockBytes = 1024 * 1024;

class Block {
 public:
  Block() : bytes_(std::make_unique_for_overwrite<std::byte[]>(kFastBlockBytes)) {}
  std::uint64_t offset() const { return offset_; }
  std::uint64_t end() const { return offset_ + size_; }
  std::size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  void Begin(std::uint64_t offset) {
    offset_ = offset;
    size_ = 0;
  }
  // As much as there is room for; returns how much that was.
  std::size_t Append(std::span<const std::byte> bytes);

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::uint64_t offset_ = 0;
  std::size_t size_ = 0;
};
using BlockPointer = std::unique_ptr<Block>;

// Any thread. Owners are told apart by their address.
class RecentBytes {
 public:
  explicit RecentBytes(std::size_t most) : most_(most) {}
  // An empty one; where twice `most` were made, the oldest that is kept.
  BlockPointer Take();
  // The oldest goes where there are too many.
  void Keep(const void* owner, BlockPointer block);
  // The block that begins there, if it is kept still; it is the caller's then.
  BlockPointer Claim(const void* owner, std::uint64_t offset);
  // No longer needed: to be taken again.
  void GiveBack(BlockPointer block);
  // What was kept of this owner is no longer true.
  void Forget(const void* owner);

 private:
  struct Kept {
    const void* owner;
    BlockPointer block;
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::vector<Kept> kept_;          // oldest first
  std::vector<BlockPointer> free_;  // never given back to the heap: threads come and go, and it would fray
  std::size_t made_ = 0;
};

}  // namespace gptoss::hub
