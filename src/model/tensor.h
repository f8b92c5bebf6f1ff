// A named array inside a mapped file, as safetensors and GGUF both describe it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace gptoss {

enum class TensorType : std::uint8_t { kU8, kI8, kU32, kI32, kF32, kF16, kBF16, kQ8_0, kMxfp4, kOther };

// `shape`: outermost dimension first (GGUF's order reversed). `bytes` lie inside `file` and hold exactly the
// shape.
struct Tensor {
  std::string name;
  TensorType type = TensorType::kOther;
  std::string type_name;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  std::string file;
};
using TensorMap = std::map<std::string, Tensor, std::less<>>;

// "[2, 3]"
std::string ShapeText(std::span<const std::int64_t> shape);
// Elements of a shape, or -1 if a dimension is negative or the product exceeds 2^47.
std::int64_t ElementCount(std::span<const std::int64_t> shape);

// The tensors of one .safetensors file, added to `tensors`. Refuses names that are there already, overlapping
// data, offsets outside the file, sizes that do not match the shape.
Status ReadSafetensors(const MappedFile& file, TensorMap& tensors);

}  // namespace gptoss
