#include "hub/byte_sum.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace gptoss::hub {
namespace {

// Odd, with about as many ones as zeros: digits of the golden ratio and of the square root of two.
constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15;
constexpr std::uint64_t kSecond = 0x6A09E667F3BCC909;

// Undoable in both arguments, so that no single difference is lost.
std::uint64_t Mix(std::uint64_t lane, std::uint64_t word) { return std::rotl(lane ^ word, 29) * kFirst; }

std::uint64_t Word(const std::byte* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

}  // namespace

ByteSum::ByteSum(std::uint64_t seed) {
  for (std::size_t lane = 0; lane < kLanes; ++lane) lanes_[lane] = (seed ^ kSecond) + (lane + 1) * kFirst;
}

void ByteSum::Update(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const std::size_t used = length_ % rest_.size();
  length_ += bytes.size();
  const std::size_t taken = std::min(bytes.size(), used == 0 ? 0 : rest_.size() - used);
  std::memcpy(rest_.data() + used, bytes.data(), taken);
  bytes = bytes.subspan(taken);
  if (used != 0 && used + taken < rest_.size()) return;
  auto lanes = lanes_;  // in registers
  const auto mix = [&lanes](const std::byte* from) {
    // Not a loop: at -O2 its lanes would be in memory, at half the speed.
    [&]<std::size_t... lane>(std::index_sequence<lane...>) {
      ((lanes[lane] = Mix(lanes[lane], Word(from + 8 * lane))), ...);
    }(std::make_index_sequence<kLanes>());
  };
  if (used != 0) mix(rest_.data());
  for (; bytes.size() >= rest_.size(); bytes = bytes.subspan(rest_.size())) mix(bytes.data());
  lanes_ = lanes;
  std::memcpy(rest_.data(), bytes.data(), bytes.size());
}

std::uint64_t ByteSum::Value() const {
  std::array<std::byte, 8 * kLanes> last{};
  std::memcpy(last.data(), rest_.data(), length_ % rest_.size());
  std::uint64_t value = length_;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    value = Mix(value, Mix(lanes_[lane], Word(last.data() + 8 * lane)));
    value *= kSecond;
  }
  value ^= value >> 29;
  value *= kSecond;
  return value ^ (value >> 32);
}

std::uint64_t ByteSum::Of(std::span<const std::byte> bytes, std::uint64_t seed) {
  ByteSum sum(seed);
  sum.Update(bytes);
  return sum.Value();
}

ContentHasher::ContentHasher(bool sha256, std::uint64_t size) : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  good_ = context_ && EVP_DigestInit_ex(context_.get(), sha256 ? EVP_sha256() : EVP_sha1(), nullptr) == 1;
  if (!good_ || sha256) return;
  const std::string header = fmt::format("blob {}", size);
  EVP_DigestUpdate(context_.get(), header.c_str(), header.size() + 1);  // with its terminating zero
}

void ContentHasher::Update(std::span<const std::byte> bytes) {
  if (good_) EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

ContentHash ContentHasher::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  ContentHash hash;
  if (!good_ || EVP_DigestFinal_ex(context_.get(), digest.data(), &length) != 1) return hash;
  for (unsigned i = 0; i < length; ++i) hash.hex += fmt::format("{:02x}", digest[i]);
  return hash;
}

}  // namespace gptoss::hub
