// GGUF files, versions 2 and 3, little endian (ggml's docs/gguf.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "model/tensor.h"

namespace gptoss {

// Strings are views into the file. Arrays keep their element kind apart: strings, or numbers as double /
// int64.
struct GgufValue {
  std::variant<std::int64_t, double, bool, std::string_view, std::vector<std::int64_t>, std::vector<double>,
               std::vector<std::string_view>>
      value;
};

struct GgufFile {
  std::map<std::string, GgufValue, std::less<>> metadata;
  TensorMap tensors;
};

// Everything is checked against the file's size before it is read. Views live as long as `file`.
Result<GgufFile> ReadGguf(const MappedFile& file);

}  // namespace gptoss
