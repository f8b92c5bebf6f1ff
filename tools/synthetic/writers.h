// Writes the tensors of a plan into files, a piece at a time. Files appear under their name when they are
// whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "synthetic/plan.h"

namespace gptoss::synthetic {

// A file under a temporary name until Finish; removed again if that does not happen.
class PartFile {
 public:
  explicit PartFile(std::filesystem::path path);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  void Write(std::span<const std::byte> bytes);
  void Write(std::string_view text) { Write(std::as_bytes(std::span(text))); }
  void Tensor(const Tensor& tensor, std::uint64_t seed);
  Status Finish();

 private:
  std::filesystem::path path_, part_;
  std::ofstream out_;
  std::vector<std::byte> buffer_;
  bool finished_ = false;
};

// Shards of at most `shard_bytes` (but one tensor each at least), their index, config.json last.
Status WriteSafetensors(const std::filesystem::path& folder, const std::vector<Tensor>& tensors,
                        const Json& config, std::uint64_t shard_bytes, std::uint64_t seed);

// `tokenizer`: a tokenizer.json, or null for a file without one.
Status WriteGguf(const std::filesystem::path& path, const Shape& shape, const std::vector<Tensor>& tensors,
                 const Json& tokenizer, std::uint64_t seed);

}  // namespace gptoss::synthetic
