#include "model/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace gptoss {
namespace {

enum Kind : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

std::int64_t KindSize(std::uint32_t kind) {
  switch (kind) {
    case kU8:
    case kI8:
    case kBool:
      return 1;
    case kU16:
    case kI16:
      return 2;
    case kU32:
    case kI32:
    case kF32:
      return 4;
    case kU64:
    case kI64:
    case kF64:
      return 8;
    default:
      return 0;
  }
}

// Reads forward, never past the end; the first failure sticks.
class Reader {
 public:
  explicit Reader(const MappedFile& file) : file_(file), rest_(file.bytes()) {}

  template <typename T>
  T Number() {
    T value{};
    if (!Have(sizeof(T))) return value;
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  std::string_view String() {
    const auto length = Number<std::uint64_t>();
    if (!Have(length)) return {};
    const std::string_view text(reinterpret_cast<const char*>(rest_.data()), length);
    rest_ = rest_.subspan(length);
    return text;
  }
  bool Have(std::uint64_t bytes) {
    if (bytes > rest_.size()) failed_ = true;
    return !failed_;
  }
  bool failed() const { return failed_; }
  std::uint64_t left() const { return rest_.size(); }
  std::uint64_t position() const { return file_.bytes().size() - rest_.size(); }

 private:
  const MappedFile& file_;
  std::span<const std::byte> rest_;
  bool failed_ = false;
};

std::int64_t Integer(Reader& in, std::uint32_t kind) {
  switch (kind) {
    case kU8:
      return in.Number<std::uint8_t>();
    case kI8:
      return in.Number<std::int8_t>();
    case kU16:
      return in.Number<std::uint16_t>();
    case kI16:
      return in.Number<std::int16_t>();
    case kU32:
      return in.Number<std::uint32_t>();
    case kI32:
      return in.Number<std::int32_t>();
    case kBool:
      return in.Number<std::uint8_t>() != 0 ? 1 : 0;
    case kU64:
      return std::bit_cast<std::int64_t>(in.Number<std::uint64_t>());
    default:
      return in.Number<std::int64_t>();
  }
}

double Real(Reader& in, std::uint32_t kind) {
  return kind == kF32 ? in.Number<float>() : in.Number<double>();
}

// nullopt-like: an unknown kind or an impossible count gives false.
bool ReadArray(Reader& in, GgufValue& out) {
  const auto kind = in.Number<std::uint32_t>();
  const auto count = in.Number<std::uint64_t>();
  const std::int64_t least = kind == kString ? 8 : KindSize(kind);  // bytes an element needs at least
  if (in.failed() || least == 0 || count > in.left() / static_cast<std::uint64_t>(least)) return false;
  if (kind == kString) {
    std::vector<std::string_view> items;
    items.reserve(count);
    for (std::uint64_t i = 0; i < count && !in.failed(); ++i) items.push_back(in.String());
    out.value = std::move(items);
  } else if (kind == kF32 || kind == kF64) {
    std::vector<double> items(count);
    for (double& item : items) item = Real(in, kind);
    out.value = std::move(items);
  } else {
    std::vector<std::int64_t> items(count);
    for (std::int64_t& item : items) item = Integer(in, kind);
    out.value = std::move(items);
  }
  return !in.failed();
}

bool ReadValue(Reader& in, GgufValue& out) {
  const auto kind = in.Number<std::uint32_t>();
  if (in.failed()) return false;
  if (kind == kString) {
    out.value = in.String();
  } else if (kind == kArray) {
    return ReadArray(in, out);
  } else if (kind == kF32 || kind == kF64) {
    out.value = Real(in, kind);
  } else if (kind == kBool) {
    out.value = Integer(in, kind) != 0;
  } else if (KindSize(kind) > 0) {
    out.value = Integer(in, kind);
  } else {
    return false;
  }
  return !in.failed();
}

struct GgufType {
  TensorType type;
  std::string_view name;
  std::int64_t block;  // elements
  std::int64_t bytes;  // per block
};

GgufType GgufTypeOf(std::uint32_t id) {
  switch (id) {
    case 0:
      return {TensorType::kF32, "F32", 1, 4};
    case 1:
      return {TensorType::kF16, "F16", 1, 2};
    case 8:
      return {TensorType::kQ8_0, "Q8_0", 32, 34};
    case 30:
      return {TensorType::kBF16, "BF16", 1, 2};
    case 39:
      return {TensorType::kMxfp4, "MXFP4", 32, 17};
    default:
      return {TensorType::kOther, "", 0, 0};
  }
}

struct Pending {
  Tensor tensor;
  std::uint64_t offset;
  std::uint64_t size;
};

Result<Pending> ReadTensorInfo(const MappedFile& file, Reader& in) {
  Pending pending;
  Tensor& tensor = pending.tensor;
  tensor.name = in.String();
  tensor.file = file.name();
  const auto dimensions = in.Number<std::uint32_t>();
  if (in.failed() || dimensions > 4)
    return DamagedFile(file, fmt::format("tensor {}: bad number of dimensions", tensor.name));
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    tensor.shape.push_back(std::bit_cast<std::int64_t>(in.Number<std::uint64_t>()));
  }
  std::ranges::reverse(tensor.shape);
  const auto id = in.Number<std::uint32_t>();
  pending.offset = in.Number<std::uint64_t>();
  if (in.failed()) return DamagedFile(file, "ends inside the list of tensors: incomplete");
  const GgufType type = GgufTypeOf(id);
  if (type.block == 0) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "{}: tensor {} has ggml type {}; gpt-oss files with MXFP4 experts and F32, F16, BF16 or Q8_0 "
            "elsewhere are supported",
            file.name(), tensor.name, id));
  }
  tensor.type = type.type;
  tensor.type_name = type.name;
  const std::int64_t count = ElementCount(tensor.shape);
  if (count < 0 || tensor.shape.empty() || tensor.shape.back() % type.block != 0) {
    return DamagedFile(
        file, fmt::format("tensor {} has the impossible shape {}", tensor.name, ShapeText(tensor.shape)));
  }
  pending.size = static_cast<std::uint64_t>(count / type.block * type.bytes);
  return pending;
}

Status PlaceTensors(const MappedFile& file, std::vector<Pending>& pending, std::uint64_t data_begin,
                    TensorMap& out) {
  const auto bytes = file.bytes();
  std::ranges::sort(pending, {}, &Pending::offset);
  std::uint64_t end = 0;
  for (Pending& p : pending) {
    const std::uint64_t room = data_begin <= bytes.size() ? bytes.size() - data_begin : 0;
    if (p.offset > room || p.size > room - p.offset) {
      return DamagedFile(
          file, fmt::format("tensor {} claims bytes {}..{} of {} bytes of data: incomplete or damaged",
                            p.tensor.name, p.offset, p.offset + p.size, room));
    }
    if (p.offset < end)
      return DamagedFile(file, fmt::format("tensor {} overlaps the one before it", p.tensor.name));
    end = p.offset + p.size;
    p.tensor.bytes = bytes.subspan(data_begin + p.offset, p.size);
    const std::string name = p.tensor.name;
    if (!out.emplace(name, std::move(p.tensor)).second) {
      return DamagedFile(file, fmt::format("tensor {} is there twice", name));
    }
  }
  return {};
}

}  // namespace

Result<GgufFile> ReadGguf(const MappedFile& file) {
  Reader in(file);
  const auto magic = in.Number<std::uint32_t>();
  const auto version = in.Number<std::uint32_t>();
  if (in.failed() || magic != 0x46554747) return DamagedFile(file, "not a GGUF file");
  if (version != 2 && version != 3) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: GGUF version {}; 2 and 3 are supported", file.name(), version));
  }
  const auto tensors = in.Number<std::uint64_t>(), entries = in.Number<std::uint64_t>();
  // A tensor's entry takes at least 24 bytes, a metadata entry at least 12.
  if (in.failed() || tensors > in.left() / 24 || entries > in.left() / 12) {
    return DamagedFile(file, "the header counts more entries than the file can hold");
  }
  GgufFile gguf;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::string_view key = in.String();
    GgufValue value;
    if (in.failed() || !ReadValue(in, value)) {
      return DamagedFile(
          file, fmt::format("metadata entry {} ({}) is damaged or incomplete", i, key.substr(0, 80)));
    }
    gguf.metadata.insert_or_assign(std::string(key), std::move(value));
  }
  std::uint64_t alignment = 32;
  if (const auto it = gguf.metadata.find("general.alignment"); it != gguf.metadata.end()) {
    const auto* given = std::get_if<std::int64_t>(&it->second.value);
    if (given == nullptr || *given < 1 || *given > 65536)
      return DamagedFile(file, "general.alignment is no alignment");
    alignment = static_cast<std::uint64_t>(*given);
  }
  std::vector<Pending> pending;
  for (std::uint64_t i = 0; i < tensors; ++i) {
    GPTOSS_TRY(Pending next, ReadTensorInfo(file, in));
    pending.push_back(std::move(next));
  }
  const std::uint64_t begin = (in.position() + alignment - 1) / alignment * alignment;
  GPTOSS_CHECK_OK(PlaceTensors(file, pending, begin, gguf.tensors));
  return gguf;
}

}  // namespace gptoss
