// Any bytes as a tar archive: entries whose content has the size they say, or an error.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "hub/tar.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t at = 0;
  gptoss::hub::TarReader tar([&](std::span<std::byte> into) -> gptoss::Result<std::size_t> {
    const std::size_t count = std::min(into.size(), size - at);
    std::memcpy(into.data(), data + at, count);
    at += count;
    return count;
  });
  while (true) {
    const auto entry = tar.Next();
    if (!entry || !*entry) return 0;
    std::uint64_t read = 0;
    std::array<std::byte, 700> buffer;
    while (true) {
      const auto got = tar.Read(buffer);
      if (!got) return 0;
      if (*got == 0) break;
      read += *got;
    }
    if (read != (*entry)->size) std::abort();
  }
}
