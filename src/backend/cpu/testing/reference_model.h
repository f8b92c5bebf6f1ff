// GPT-OSS in double, one sequence, no cache, no cleverness: what the fast path is judged by. For tests only;
// shares nothing with the kernels but the decoding of stored weights.
#pragma once

#include <cstdint>
#include <vector>

#include "model/weights.h"

namespace gptoss::testing {

struct LayerTrace {
  std::vector<double> hidden;          // [tokens, hidden] after the layer
  std::vector<std::int64_t> experts;   // [tokens, experts_per_token], by falling weight
  std::vector<double> expert_weights;  // the same shape
};

// Logits [positions.size(), vocab]. `trace`, if given, gets one entry per layer.
std::vector<double> ReferenceLogits(const Model& model, const std::vector<std::int32_t>& ids,
                                    const std::vector<std::int64_t>& positions,
                                    std::vector<LayerTrace>* trace = nullptr);

}  // namespace gptoss::testing
