// Sums that tell whether bytes are still what they were.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "hub/repository.h"

namespace gptoss::hub {

// A 64-bit sum at memory speed, for finding damage by chance, not by intent: it decides where bytes differ,
// never whether a file is the right one.
class ByteSum {
 public:
  explicit ByteSum(std::uint64_t seed = 0);
  void Update(std::span<const std::byte> bytes);
  std::uint64_t Value() const;
  static std::uint64_t Of(std::span<const std::byte> bytes, std::uint64_t seed = 0);

 private:
  static constexpr std::size_t kLanes = 8;  // one alone would wait for each multiplication
  std::array<std::uint64_t, kLanes> lanes_;
  std::array<std::byte, 8 * kLanes> rest_{};
  std::uint64_t length_ = 0;
};

// The hash that names a file at the Hub, computed as its bytes come.
class ContentHasher {
 public:
  // SHA-256 of the content, or the git blob id, whose header has the size before the first byte.
  ContentHasher(bool sha256, std::uint64_t size);
  bool good() const { return good_; }  // false: the library has no such hash
  void Update(std::span<const std::byte> bytes);
  // Once.
  ContentHash Finish();

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool good_ = false;
};

}  // namespace gptoss::hub
