// Token ids as a blob: four bytes each, the lowest first.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gptoss {

std::string PackTokens(std::span<const std::int32_t> ids);
// Empty for what PackTokens did not write (a length that is no multiple of four, a negative id). Whether the
// ids say the message that they are kept with is the renderer's to check.
std::vector<std::int32_t> UnpackTokens(std::string_view blob);

}  // namespace gptoss
