// Cuts text into the pieces of the o200k pattern, without a regex engine.
#pragma once

#include <cstddef>
#include <string_view>

namespace gptoss::tokenizer_internal {

// The pattern as tokenizer.json spells it; this scanner implements exactly this one.
extern const std::string_view kO200kPattern;

// End of the piece that starts at `begin` (< text.size()). `text` is valid UTF-8. The whole walk over a text
// looks at every character a bounded number of times.
std::size_t PieceEnd(std::string_view text, std::size_t begin);

}  // namespace gptoss::tokenizer_internal
