// The hash of a file's content as the Hub names it, from pieces in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/error.h"
#include "hub/repository.h"

namespace gptoss::hub {

// `sha256`: SHA-256 of the content; else the git blob id, which covers the size as well, so that it must be
// known before. One thread at a time.
class ContentHasher {
 public:
  ContentHasher(bool sha256, std::uint64_t size);
  ~ContentHasher();
  ContentHasher(const ContentHasher&) = delete;
  ContentHasher& operator=(const ContentHasher&) = delete;
  void Add(std::span<const std::byte> bytes);
  Result<ContentHash> Finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gptoss::hub
