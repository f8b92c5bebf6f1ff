// https://huggingface.co/docs/safetensors: u64 length of the header, JSON header, data.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/json.h"
#include "model/tensor.h"

namespace gptoss {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the reference reader's own limit

struct ElementType {
  TensorType type;
  std::int64_t size;  // bytes per element; 0: a type we know no size of
};

ElementType ElementTypeOf(std::string_view name) {
  static constexpr std::pair<std::string_view, ElementType> kTypes[] = {
      {"U8", {TensorType::kU8, 1}},     {"I8", {TensorType::kI8, 1}},     {"U32", {TensorType::kU32, 4}},
      {"I32", {TensorType::kI32, 4}},   {"F32", {TensorType::kF32, 4}},   {"F16", {TensorType::kF16, 2}},
      {"BF16", {TensorType::kBF16, 2}}, {"F64", {TensorType::kOther, 8}}, {"I64", {TensorType::kOther, 8}},
      {"U64", {TensorType::kOther, 8}}, {"I16", {TensorType::kOther, 2}}, {"U16", {TensorType::kOther, 2}},
      {"BOOL", {TensorType::kOther, 1}}};
  for (const auto& [known, info] : kTypes) {
    if (known == name) return info;
  }
  return {TensorType::kOther, 0};
}

Result<Tensor> ReadEntry(const MappedFile& file, const std::string& name, const Json& entry,
                         std::span<const std::byte> data) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !entry["shape"].is_array() || !entry.contains("data_offsets") ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2) {
    return DamagedFile(file, fmt::format("tensor {} lacks dtype, shape or two data_offsets", name));
  }
  Tensor tensor;
  tensor.name = name;
  tensor.file = file.name();
  tensor.type_name = entry["dtype"].get<std::string>();
  for (const Json& dimension : entry["shape"]) {
    if (!dimension.is_number_unsigned() || dimension.get<std::uint64_t>() > (1ULL << 47)) {
      return DamagedFile(
          file, fmt::format("tensor {} has a dimension that is no size: {}", name, DumpJson(dimension)));
    }
    tensor.shape.push_back(dimension.get<std::int64_t>());
  }
  const Json& offsets = entry["data_offsets"];
  if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned()) {
    return DamagedFile(file, fmt::format("tensor {}: data_offsets are no sizes", name));
  }
  const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
  if (begin > end || end > data.size()) {
    return DamagedFile(
        file, fmt::format("tensor {} claims bytes {}..{}, but the file has {} bytes of data: incomplete or "
                          "damaged",
                          name, begin, end, data.size()));
  }
  const ElementType info = ElementTypeOf(tensor.type_name);
  tensor.type = info.type;
  const std::int64_t count = ElementCount(tensor.shape);
  if (count < 0 || (info.size > 0 && static_cast<std::uint64_t>(count * info.size) != end - begin)) {
    return DamagedFile(
        file, fmt::format("tensor {} of shape {} and type {} has {} bytes, which does not match", name,
                          ShapeText(tensor.shape), tensor.type_name, end - begin));
  }
  tensor.bytes = data.subspan(begin, end - begin);
  return tensor;
}

}  // namespace

std::string ShapeText(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::int64_t ElementCount(std::span<const std::int64_t> shape) {
  constexpr std::int64_t kMost = std::int64_t{1} << 47;
  std::int64_t count = 1;
  for (const std::int64_t n : shape) {
    if (n < 0) return -1;
    if (n != 0 && count > kMost / n) return -1;
    count *= n;
  }
  return count;
}

Status ReadSafetensors(const MappedFile& file, TensorMap& tensors) {
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() < 8) return DamagedFile(file, "too short for a safetensors file");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);  // little endian, as are all machines we run on
  if (length > kMaxHeader || length > bytes.size() - 8) {
    return DamagedFile(
        file, fmt::format("the header claims {} bytes, but {} follow: not a safetensors file, or incomplete",
                          length, bytes.size() - 8));
  }
  auto header = ParseJson(file.text().substr(8, length));
  if (!header) return DamagedFile(file, fmt::format("header: {}", header.error().message));
  if (!header->is_object()) return DamagedFile(file, "the header is no JSON object");
  std::vector<std::pair<const std::byte*, const Tensor*>> order;
  for (const auto& [name, entry] : header->items()) {
    if (name == "__metadata__") continue;
    GPTOSS_TRY(Tensor tensor, ReadEntry(file, name, entry, bytes.subspan(8 + length)));
    const auto [place, fresh] = tensors.emplace(name, std::move(tensor));
    if (!fresh)
      return DamagedFile(file,
                         fmt::format("tensor {} is there twice (also in {})", name, place->second.file));
    if (!place->second.bytes.empty()) order.emplace_back(place->second.bytes.data(), &place->second);
  }
  std::ranges::sort(order);
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Tensor &before = *order[i - 1].second, &after = *order[i].second;
    if (before.bytes.data() + before.bytes.size() > after.bytes.data()) {
      return DamagedFile(file, fmt::format("tensors {} and {} overlap", before.name, after.name));
    }
  }
  return {};
}

}  // namespace gptoss
