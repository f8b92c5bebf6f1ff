#include "synthetic/random_fill.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace gptoss::synthetic {
namespace {

// Codes have a normal distribution whose 256 quantiles reach from −127 to 127: a deviation of 44.
constexpr double kCodeDeviation = 44;
// MXFP4 elements before their scale: the largest code, 6, is met about once in 256.
constexpr double kFp4Deviation = 2;

double Quantile(double p) {  // of the normal distribution, by bisection
  double low = -8, high = 8;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
  }
  return low;
}

std::array<float, 256> Quantiles() {
  std::array<float, 256> q{};
  for (std::size_t i = 0; i < q.size(); ++i)
    q[i] = static_cast<float>(Quantile((static_cast<double>(i) + 0.5) / 256));
  return q;
}
const std::array<float, 256>& NormalTable() {
  static const std::array<float, 256> table = Quantiles();
  return table;
}

int NearestE2m1(double value) {
  constexpr std::array<double, 8> kValues = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  int best = 0;
  for (int i = 1; i < 8; ++i) {
    const double error = std::abs(std::abs(value) - kValues[static_cast<std::size_t>(i)]);
    if (error < std::abs(std::abs(value) - kValues[static_cast<std::size_t>(best)])) best = i;
  }
  return best + (value < 0 ? 8 : 0);
}

std::array<std::byte, 65536> NibblePairs() {
  std::array<int, 256> nibble{};
  for (std::size_t i = 0; i < 256; ++i) nibble[i] = NearestE2m1(NormalTable()[i] * kFp4Deviation);
  std::array<std::byte, 65536> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i)
    pairs[i] = static_cast<std::byte>(nibble[i % 256] | nibble[i / 256] << 4);
  return pairs;
}
const std::array<std::byte, 65536>& PairTable() {
  static const std::array<std::byte, 65536> table = NibblePairs();
  return table;
}
std::array<std::byte, 256> CodeTable(int offset) {
  std::array<std::byte, 256> table{};
  for (std::size_t i = 0; i < 256; ++i) {
    table[i] =
        static_cast<std::byte>(static_cast<int>(std::lround(NormalTable()[i] * kCodeDeviation)) + offset);
  }
  return table;
}

std::uint16_t Bf16(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
// A positive normal number of binary16, rounded down: scales need no more.
std::uint16_t F16(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // [0.5, 1)
  return static_cast<std::uint16_t>(((exponent + 14) << 10) + static_cast<int>((fraction * 2 - 1) * 1024));
}
void Put(std::byte* to, const void* from, std::size_t n) { std::memcpy(to, from, n); }

}  // namespace

RandomFill::RandomFill(const Tensor& tensor, std::uint64_t seed)
    : tensor_(tensor), state_(tensor.stream ^ (seed * 0x9e3779b97f4a7c15)) {}

std::uint64_t RandomFill::Bits() {  // SplitMix64 (Steele, Lea, Flood 2014)
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

double RandomFill::Normal() {  // a quantile and some of the way to the next: no two alike
  const std::uint64_t bits = Bits();
  return double{NormalTable()[bits & 255]} + (static_cast<double>(bits >> 32) / 4294967296.0 - 0.5) * 0.02;
}

std::uint16_t RandomFill::ScaleOfGroup() {
  const double spread = 0.8 + 0.4 * static_cast<double>(Bits() >> 11) / 9007199254740992.0;
  return Bf16(tensor_.deviation / kCodeDeviation * spread);
}

void RandomFill::Fill8(std::span<std::byte> out, const std::array<std::byte, 256>& table) {
  for (std::size_t i = 0; i < out.size(); i += 8) {
    const std::uint64_t bits = Bits();
    for (std::size_t k = 0; k < 8 && i + k < out.size(); ++k) out[i + k] = table[(bits >> (8 * k)) & 255];
  }
}

void RandomFill::Next(std::span<std::byte> out) {
  static const std::array<std::byte, 256> kSigned = CodeTable(0), kUnsigned = CodeTable(128);
  const auto nibbles = [&](std::byte* to, std::size_t n) {
    for (std::size_t i = 0; i < n; i += 4) {
      const std::uint64_t bits = Bits();
      for (std::size_t k = 0; k < 4 && i + k < n; ++k) to[i + k] = PairTable()[(bits >> (16 * k)) & 65535];
    }
  };
  // Half the blocks have the scale that fits, the others one step more or less: 1.25 times as much in the
  // mean.
  const int exponent =
      127 + static_cast<int>(std::lround(std::log2(tensor_.deviation / (kFp4Deviation * 1.25))));
  const auto block_scale = [&] {
    const std::uint64_t bits = Bits() >> 60;
    return static_cast<std::byte>(exponent + (bits < 4 ? -1 : bits < 8 ? 1 : 0));
  };
  switch (tensor_.fill) {
    case Fill::kBf16:
      for (std::size_t i = 0; i < out.size(); i += 2) {
        const std::uint16_t value = Bf16(tensor_.mean + tensor_.deviation * Normal());
        Put(&out[i], &value, 2);
      }
      return;
    case Fill::kF32:
      for (std::size_t i = 0; i < out.size(); i += 4) {
        const auto value = static_cast<float>(tensor_.mean + tensor_.deviation * Normal());
        Put(&out[i], &value, 4);
      }
      return;
    case Fill::kMxfp4Codes:
      return nibbles(out.data(), out.size());
    case Fill::kMxfp4Scales:
      for (std::byte& b : out) b = block_scale();
      return;
    case Fill::kMxfp4Blocks:
      for (std::size_t i = 0; i < out.size(); i += 17) {
        out[i] = block_scale();
        nibbles(&out[i + 1], 16);
      }
      return;
    case Fill::kQ8Blocks:
      for (std::size_t i = 0; i < out.size(); i += 34) {
        const double spread = 0.8 + 0.4 * static_cast<double>(Bits() >> 11) / 9007199254740992.0;
        const std::uint16_t scale = F16(tensor_.deviation / kCodeDeviation * spread);
        Put(&out[i], &scale, 2);
        Fill8(out.subspan(i + 2, 32), kSigned);
      }
      return;
    case Fill::kAffineCodes:
      return Fill8(out, kUnsigned);
    case Fill::kAffineScales:
      for (std::size_t i = 0; i < out.size(); i += 2) {
        const std::uint16_t scale = ScaleOfGroup();
        Put(&out[i], &scale, 2);
      }
      return;
    case Fill::kAffineBiases:  // −128 · scale: seven powers of two and the sign
      for (std::size_t i = 0; i < out.size(); i += 2) {
        const auto bias = static_cast<std::uint16_t>((ScaleOfGroup() + (7U << 7)) | 0x8000U);
        Put(&out[i], &bias, 2);
      }
      return;
  }
}

}  // namespace gptoss::synthetic
