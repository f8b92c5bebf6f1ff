// Any bytes as a partial's journal: an error, or extents that are sorted, disjoint and inside the file.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hub/journal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gptoss::hub;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ContentHash hash{std::string(64, 'a')};
  constexpr std::uint64_t kSize = 1000;
  // As it is, and with a good header before it, so that the records are reached.
  Journal journal;
  journal.hash = hash;
  journal.size = kSize;
  const std::string headed = EncodeHeader(journal) + std::string(bytes);
  for (const std::string_view text : {bytes, std::string_view(headed)}) {
    const auto read = ParseJournal(text, hash, kSize);
    if (!read) continue;
    std::uint64_t end = 0;
    for (const Extent& extent : read->extents) {
      if (extent.offset < end || extent.length == 0 || extent.length > kSize - extent.offset) std::abort();
      end = extent.offset + extent.length;
    }
    const auto again = ParseJournal(EncodeJournal(*read), hash, kSize);
    if (!again || *again != *read) std::abort();
  }
  return 0;
}
