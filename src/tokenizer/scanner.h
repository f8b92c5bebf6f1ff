// o200k's splitting without a regex engine: the pieces that byte-pair merging never crosses.
#pragma once

#include <cstddef>
#include <string_view>

namespace gptoss {

// The pattern that this scanner implements, as tokenizer.json spells it.
std::string_view O200kPattern();

// End of the piece that starts at `begin` (< text.size()). `text` must be valid UTF-8. Stateless; any thread.
std::size_t NextPiece(std::string_view text, std::size_t begin);

}  // namespace gptoss
