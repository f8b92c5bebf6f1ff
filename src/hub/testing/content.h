// Content that tests make up.
#pragma once

#include <string>

#include "hub/byte_sum.h"

namespace gptoss::hub {

// What names this content at the Hub: its SHA-256, or its git blob id.
inline ContentHash HashOf(const std::string& text, bool sha256) {
  ContentHasher hasher(sha256, text.size());
  hasher.Update({reinterpret_cast<const std::byte*>(text.data()), text.size()});
  return hasher.Finish();
}

}  // namespace gptoss::hub
