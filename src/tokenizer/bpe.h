// Byte-pair merging of one piece by rank (= id): lowest first, leftmost on ties.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace gptoss {

// Appends the ids of `piece`. Every single byte must be in the vocabulary. O(n log n) in the piece's length.
// `byte_ids`: id of each single byte. Any thread.
void EncodePiece(const Vocabulary& vocabulary, const std::int32_t (&byte_ids)[256], std::string_view piece,
                 std::vector<std::int32_t>& out);

}  // namespace gptoss
