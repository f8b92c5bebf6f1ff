// From named tensors to a Model: what the three layouts share.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "model/gguf.h"
#include "model/tensor.h"
#include "model/weights.h"

namespace gptoss {

// Looks tensors up and checks them; every error names file, tensor, expected and found. `used_bytes` adds up.
class TensorSource {
 public:
  TensorSource(const TensorMap& tensors, std::string where) : tensors_(tensors), where_(std::move(where)) {}

  bool Has(std::string_view name) const { return tensors_.contains(name); }
  // The tensor of exactly this shape and one of these types.
  Result<const Tensor*> Get(const std::string& name, std::vector<std::int64_t> shape,
                            std::vector<TensorType> types);
  // A small F32, F16 or BF16 tensor as floats, all finite.
  Result<std::vector<float>> Floats(const std::string& name, std::vector<std::int64_t> shape);
  // A matrix in F32, F16, BF16 or Q8_0.
  Result<MatrixView> Dense(const std::string& name, std::int64_t rows, std::int64_t cols);
  std::uint64_t used_bytes() const { return used_bytes_; }
  const std::string& where() const { return where_; }

 private:
  const TensorMap& tensors_;
  std::string where_;
  std::uint64_t used_bytes_ = 0;
};

// A scale byte of 255 is NaN in E8M0: refused, with the tensor's name.
Status CheckE8m0Scales(const Tensor& scales);
// Whether one of GGUF's MXFP4 blocks (a scale, then 16 bytes of values) has that scale; on all CPUs where it
// pays.
bool HasNanMxfp4Scale(std::span<const std::byte> blocks);

// `config.json` beside the tensors decides between OpenAI's and MLX' layout by what is there.
Status FillFromSafetensors(const TensorMap& tensors, const Json& config, Model& model);
Status FillFromGguf(const GgufFile& gguf, Model& model);
Result<ModelConfig> ModelConfigFromGguf(const GgufFile& gguf, std::string_view file);

}  // namespace gptoss
