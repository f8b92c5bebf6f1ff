// Pages of mapped files: bringing them into memory before somebody waits for them.
#pragma once

#include <cstddef>
#include <span>

namespace gptoss {

// Reads the pages behind `bytes` (part of a mapped file) from the disk where necessary and maps them, so that
// touching them costs nothing. False when they cannot be read: the disk failed, the file was cut short. Long
// for a piece that is not in the page cache; pieces of some ten megabytes keep a caller responsive.
bool PopulateMapped(std::span<const std::byte> bytes);

}  // namespace gptoss
