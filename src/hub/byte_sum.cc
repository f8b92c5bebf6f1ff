#include "hub/byte_sum.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace gptoss::hub {
namespace {

// Odd, with about as many ones as zeros: digits of the golden ratio and of the square root of two.
constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15;
constexpr std::uint64_t kSecond = 0x6A09E667F3BCC909;

std::uint64_t Mix(std::uint64_t lane, std::uint64_t word) {
  return std::rotl(lane + word * kFirst, 31) * kSecond;
}

std::uint64_t Word(const std::byte* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

}  // namespace

ByteSum::ByteSum(std::uint64_t seed) : lanes_{seed + kFirst, seed ^ kSecond, seed, seed - kFirst} {}

void ByteSum::Update(std::span<const std::byte> bytes) {
  std::size_t used = length_ % rest_.size();
  length_ += bytes.size();
  while (!bytes.empty()) {
    if (used == 0 && bytes.size() >= rest_.size()) {
      for (std::size_t lane = 0; lane < 4; ++lane)
        lanes_[lane] = Mix(lanes_[lane], Word(bytes.data() + 8 * lane));
      bytes = bytes.subspan(rest_.size());
      continue;
    }
    const std::size_t taken = std::min(bytes.size(), rest_.size() - used);
    std::memcpy(rest_.data() + used, bytes.data(), taken);
    bytes = bytes.subspan(taken);
    used += taken;
    if (used < rest_.size()) continue;
    for (std::size_t lane = 0; lane < 4; ++lane)
      lanes_[lane] = Mix(lanes_[lane], Word(rest_.data() + 8 * lane));
    used = 0;
  }
}

std::uint64_t ByteSum::Value() const {
  std::array<std::byte, 32> last{};
  std::memcpy(last.data(), rest_.data(), length_ % rest_.size());
  std::uint64_t value = length_;
  for (std::size_t lane = 0; lane < 4; ++lane) {
    value =
        Mix(value ^ std::rotl(Mix(lanes_[lane], Word(last.data() + 8 * lane)), static_cast<int>(7 * lane)),
            kFirst);
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
