#include "engine/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <random>

namespace gptoss {
namespace {

// What is left out before the exponentials (most of 200,000 entries at usual temperatures) weighs together
// less than this part of the best candidate: a millionth of the noise that 8-bit activations bring.
constexpr double kNegligible = 1e-10;

Status CheckRange(std::string_view name, double value, double low, double high) {
  if (value >= low && value <= high) return {};  // false for NaN
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is {}; expected a number from {} to {}", name, value, low, high));
}

// Index of the largest logit, the first on ties; -1 when there is none above minus infinity.
std::ptrdiff_t Largest(std::span<const float> logits) {
  std::ptrdiff_t best = -1;
  float largest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > largest) {  // false for NaN
      largest = logits[i];
      best = static_cast<std::ptrdiff_t>(i);
    }
  }
  return best;
}

}  // namespace

Status ValidateSampling(const SamplingOptions& options) {
  GPTOSS_CHECK_OK(CheckRange("temperature", options.temperature, 0, 100));
  GPTOSS_CHECK_OK(CheckRange("top_p", options.top_p, 0, 1));
  GPTOSS_CHECK_OK(CheckRange("top_k", options.top_k, 0, std::numeric_limits<std::int32_t>::max()));
  return CheckRange("min_p", options.min_p, 0, 1);
}

std::uint64_t FreshSeed() {
  try {
    std::random_device device;
    return (std::uint64_t{device()} << 32) ^ device();
  } catch (const std::exception&) {  // a system without an entropy source
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
}

std::optional<std::int32_t> Sampler::Sample(std::span<const float> logits, const SamplingOptions& options,
                                            UniformSource& random) {
  const std::ptrdiff_t best = Largest(logits);
  if (best < 0) return std::nullopt;
  const float largest = logits[static_cast<std::size_t>(best)];
  if (options.temperature == 0 || options.top_k == 1 || std::isinf(largest)) {
    if (options.temperature != 0) random.NextBits();  // one draw per sampled token, whatever the options
    return static_cast<std::int32_t>(best);
  }
  candidates_.clear();
  const double cut_off = std::log(kNegligible / static_cast<double>(logits.size()));
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double scaled = (static_cast<double>(logits[i]) - largest) / options.temperature;
    if (scaled >= cut_off) candidates_.push_back({0, logits[i], static_cast<std::int32_t>(i)});
  }
  const auto top_k = static_cast<std::size_t>(options.top_k);
  const bool cut = top_k > 0 && top_k < candidates_.size();
  if (cut) {
    std::nth_element(candidates_.begin(), candidates_.begin() + options.top_k, candidates_.end(), Before);
    candidates_.resize(top_k);
    // The order left by nth_element is the library's own; a seed shall mean the same with every library.
    std::sort(candidates_.begin(), candidates_.end(), Before);
  }
  for (Candidate& candidate : candidates_) {
    candidate.weight = std::exp((static_cast<double>(candidate.logit) - largest) / options.temperature);
  }
  if (options.top_p < 1) KeepTopP(options.top_p);
  if (options.min_p > 0) {
    std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < options.min_p; });
  }
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  double left = random.Next() * total;
  for (const Candidate& candidate : candidates_) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return candidates_.back().id;  // rounding ate the last crumb
}

void Sampler::KeepTopP(double top_p) {
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  // All candidates below this weight together weigh less than the part that top-p cuts off, so none of them
  // can be kept: usually a few hundred of 200,000 remain for the heap.
  const double hopeless = (1 - top_p) * total / static_cast<double>(candidates_.size());
  std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < hopeless && c.weight < 1; });
  const auto later = [](const Candidate& a, const Candidate& b) { return Before(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), later);
  // Popped candidates gather at the end, the likeliest last.
  auto heap_end = candidates_.end();
  double kept = 0;
  do {
    std::pop_heap(candidates_.begin(), heap_end, later);
    --heap_end;
    kept += heap_end->weight;
  } while (heap_end != candidates_.begin() && kept < top_p * total);
  candidates_.erase(candidates_.begin(), heap_end);
  std::reverse(candidates_.begin(), candidates_.end());
}

}  // namespace gptoss
