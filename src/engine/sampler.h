// Chooses the next id from logits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/engine.h"

namespace gptoss {

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), read as a
// counter: draw n depends on seed and n alone. The standard library's distributions differ between platforms.
class UniformSource {
 public:
  explicit UniformSource(std::uint64_t seed = 0) : state_(seed) {}
  std::uint64_t NextBits() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  double Next() { return static_cast<double>(NextBits() >> 11) * 0x1.0p-53; }  // [0, 1)

 private:
  std::uint64_t state_;
};

// A seed for those who gave none.
std::uint64_t FreshSeed();

// Temperature, then top-k, then top-p of what top-k left, then min-p against the best: the order of Hugging
// Face transformers. (llama.cpp applies temperature last, so there top-p sees the untempered distribution.)
// Exactly one draw per sampled token, none when greedy. Ties count in favour of the lower id. NaN counts as
// minus infinity. Not thread-safe: one workspace per engine, so that a token allocates nothing.
class Sampler {
 public:
  explicit Sampler(std::int64_t vocab) { candidates_.reserve(static_cast<std::size_t>(vocab)); }
  // nullopt when no logit is above minus infinity. Precondition: the options are valid.
  std::optional<std::int32_t> Sample(std::span<const float> logits, const SamplingOptions& options,
                                     UniformSource& random);

 private:
  struct Candidate {
    double weight;  // exp((logit - largest) / temperature)
    float logit;
    std::int32_t id;
  };
  static bool Before(const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  }
  void KeepTopP(double top_p);
  std::vector<Candidate> candidates_;
};

}  // namespace gptoss
