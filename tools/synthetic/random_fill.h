// The bytes of a synthetic tensor, piece by piece.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "synthetic/plan.h"

namespace gptoss::synthetic {

// Bytes of a tensor in order; the same seed and tensor give the same bytes. One thread.
class RandomFill {
 public:
  RandomFill(const Tensor& tensor, std::uint64_t seed);
  // The next bytes; the size is a multiple of kPiece except at the end of the tensor.
  void Next(std::span<std::byte> out);
  // A multiple of every element and block that exists here (17, 34, 4 bytes …).
  static constexpr std::size_t kPiece = std::size_t{17} * 8 * 8192;

 private:
  std::uint64_t Bits();
  double Normal();
  std::uint16_t ScaleOfGroup();  // BF16
  void Fill8(std::span<std::byte> out, const std::array<std::byte, 256>& table);

  Tensor tensor_;
  std::uint64_t state_;
};

}  // namespace gptoss::synthetic
