#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "synthetic/random_fill.h"
#include "synthetic/writers.h"

namespace gptoss::synthetic {

PartFile::PartFile(std::filesystem::path path)
    : path_(std::move(path)), part_(path_.string() + ".part"), out_(part_, std::ios::binary) {}

PartFile::~PartFile() {
  if (finished_) return;
  out_.close();
  std::error_code ignored;
  std::filesystem::remove(part_, ignored);
}

void PartFile::Write(std::span<const std::byte> bytes) {
  out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void PartFile::Tensor(const synthetic::Tensor& tensor, std::uint64_t seed) {
  RandomFill fill(tensor, seed);
  buffer_.resize(RandomFill::kPiece);
  for (std::uint64_t done = 0; done < tensor.bytes && out_;) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), tensor.bytes - done));
    const std::span<std::byte> bytes(buffer_.data(), piece);
    fill.Next(bytes);
    Write(bytes);
    done += piece;
  }
}

Status PartFile::Finish() {
  out_.close();
  std::error_code error;
  if (out_) std::filesystem::rename(part_, path_, error);
  if (!out_ || error) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("cannot write {}; is there room on the disk?", path_.string()));
  }
  finished_ = true;
  return {};
}

namespace {

const char* TypeName(Fill fill, bool words) {
  switch (fill) {
    case Fill::kF32:
      return "F32";
    case Fill::kMxfp4Codes:
    case Fill::kAffineCodes:
      return words ? "U32" : "U8";
    case Fill::kMxfp4Scales:
      return "U8";
    default:
      return "BF16";
  }
}

Status WriteShard(const std::filesystem::path& path, std::span<const Tensor> tensors, std::uint64_t seed) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t at = 0;
  for (const Tensor& t : tensors) {
    // MLX packs codes into 32-bit words.
    const bool words = t.name.ends_with(".weight") && TypeName(t.fill, true) == std::string_view("U32");
    std::vector<std::int64_t> shape = t.shape;
    if (words) shape.back() /= 4;
    header[t.name] = {
        {"dtype", TypeName(t.fill, words)}, {"shape", shape}, {"data_offsets", {at, at + t.bytes}}};
    at += t.bytes;
  }
  std::string text = DumpJson(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  PartFile file(path);
  file.Write(std::as_bytes(std::span(&length, 1)));
  file.Write(text);
  for (const Tensor& t : tensors) file.Tensor(t, seed);
  return file.Finish();
}

}  // namespace

Status WriteSafetensors(const std::filesystem::path& folder, const std::vector<Tensor>& tensors,
                        const Json& config, std::uint64_t shard_bytes, std::uint64_t seed) {
  std::vector<std::span<const Tensor>> shards;
  std::uint64_t total = 0, size = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (i > first && size + tensors[i].bytes > shard_bytes) {
      shards.emplace_back(&tensors[first], i - first);
      first = i, size = 0;
    }
    size += tensors[i].bytes, total += tensors[i].bytes;
  }
  shards.emplace_back(&tensors[first], tensors.size() - first);
  Json map = Json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    GPTOSS_CHECK_OK(WriteShard(folder / name, shards[i], seed));
    for (const Tensor& t : shards[i]) map[t.name] = name;
  }
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}};
  GPTOSS_CHECK_OK(WriteFileAtomic(folder / "model.safetensors.index.json", DumpJson(index) + "\n"));
  return WriteFileAtomic(folder / "config.json", DumpJson(config) + "\n");
}

}  // namespace gptoss::synthetic
