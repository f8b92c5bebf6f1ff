#include "sessions/token_blob.h"

#include <cstddef>

namespace gptoss {

std::string PackTokens(std::span<const std::int32_t> ids) {
  std::string blob;
  blob.reserve(ids.size() * 4);
  for (const std::int32_t id : ids) {
    const auto bits = static_cast<std::uint32_t>(id);
    for (const unsigned shift : {0U, 8U, 16U, 24U}) blob += static_cast<char>((bits >> shift) & 0xFFU);
  }
  return blob;
}

std::vector<std::int32_t> UnpackTokens(std::string_view blob) {
  if (blob.size() % 4 != 0) return {};
  std::vector<std::int32_t> ids;
  ids.reserve(blob.size() / 4);
  for (std::size_t at = 0; at < blob.size(); at += 4) {
    std::uint32_t bits = 0;
    for (const unsigned byte : {0U, 1U, 2U, 3U})
      bits |= static_cast<std::uint32_t>(static_cast<unsigned char>(blob[at + byte])) << (8 * byte);
    if (bits > INT32_MAX) return {};
    ids.push_back(static_cast<std::int32_t>(bits));
  }
  return ids;
}

}  // namespace gptoss
