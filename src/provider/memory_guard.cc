#include "provider/memory_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>

namespace gptoss {
namespace {

// Models whose weights take this much or more are of the 20B class, to which the floor and the advice apply.
constexpr std::uint64_t kLargeModel = 8'000'000'000;
// Context sizes are offered in such steps.
constexpr std::int64_t kStep = 1024;

// The program's own share of a loaded model, as measured (docs/provider.md): code that only runs then, the
// threads' stacks and what a turn works with; the tokenizer's tables, about 300 bytes per entry of the
// vocabulary, and 40 for the sampler's and logits' rows.
constexpr std::uint64_t kProgram = 3'000'000;
constexpr std::uint64_t kBytesPerVocabularyEntry = 340;

std::string Gb(std::uint64_t bytes) {
  return bytes < 100'000'000 ? fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6)
                             : fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
}

// The largest context from `smallest` up to `wanted`, in steps, that `fits`; 0: not even the smallest. Memory
// grows with the context.
std::int64_t LargestContext(std::int64_t smallest, std::int64_t wanted,
                            const std::function<bool(std::int64_t)>& fits) {
  if (fits(wanted)) return wanted;
  if (!fits(smallest)) return 0;
  std::int64_t low = 0, high = (wanted - smallest) / kStep;
  while (low < high) {
    const std::int64_t middle = low + (high - low + 1) / 2;
    if (fits(smallest + middle * kStep)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return smallest + low * kStep;
}

// What a half as large KV cache would make of it; "" where it makes no difference or is set already.
std::string EightBitAdvice(const CpuBackendOptions& backend, std::int64_t smallest, std::int64_t wanted,
                           std::int64_t now, const std::function<bool(std::int64_t, bool)>& fits) {
  if (backend.precise || backend.kv_bits == 8) return "";
  const std::int64_t then =
      LargestContext(smallest, wanted, [&](std::int64_t tokens) { return fits(tokens, true); });
  if (then <= now) return "";
  return fmt::format("with memory.kv_bits = 8 it {} {} tokens", now > 0 ? "is" : "fits with", then);
}

}  // namespace

MemoryEstimate EstimateMemory(const Model& model, const CpuBackendOptions& backend, std::int64_t context,
                              std::int64_t sequences, std::uint64_t process_now) {
  const BackendMemory memory =
      EstimateCpuMemory(model, backend, context, std::max<std::int64_t>(sequences, 1));
  return {.weights = memory.weights,
          .kv = memory.kv,
          .scratch = memory.scratch,
          .process = process_now + kProgram +
                     static_cast<std::uint64_t>(model.config.vocab) * kBytesPerVocabularyEntry};
}

MemoryVerdict Preflight(const Model& model, const CpuBackendOptions& backend, std::int64_t context,
                        const MemoryRules& rules, const MemoryInfo& machine, std::uint64_t process_now) {
  const auto estimate = [&](std::int64_t tokens) {
    return EstimateMemory(model, backend, tokens, rules.sequences, process_now);
  };
  // What this process holds already is part of the estimate, so it is part of the limit too.
  const std::uint64_t available = machine.available + process_now;
  const bool known = machine.available > 0;  // a system that does not say stops nobody
  MemoryVerdict verdict;
  verdict.limit = available > rules.headroom ? available - rules.headroom : 0;
  const bool bounded = rules.bound > 0 && (!known || rules.bound < verdict.limit);
  if (bounded) verdict.limit = rules.bound;
  if (!known && !bounded) verdict.limit = 0;

  const bool large = model.weight_bytes >= kLargeModel;
  if (large && machine.total > 0 && machine.total < rules.floor_total) {
    verdict.estimate = estimate(std::min(context, rules.smallest_context));
    verdict.advice = fmt::format(
        "this machine has {} of memory and {} needs one with {}; use another agent, or a smaller model "
        "(memory.floor "
        "is the setting)",
        Gb(machine.total), model.name, Gb(rules.floor_total));
    return verdict;
  }
  const auto fits_with = [&](std::int64_t tokens, bool eight_bits) {
    CpuBackendOptions options = backend;
    if (eight_bits) options.kv_bits = 8;
    return verdict.limit == 0
               ? !bounded && !known
               : EstimateMemory(model, options, tokens, rules.sequences, process_now).total() <=
                     verdict.limit;
  };
  const std::int64_t smallest = std::min({context, rules.smallest_context, model.config.max_context});
  verdict.context =
      LargestContext(smallest, context, [&](std::int64_t tokens) { return fits_with(tokens, false); });
  const std::string eight_bits = EightBitAdvice(backend, smallest, context, verdict.context, fits_with);
  if (verdict.context == context) {
    verdict.answer = MemoryVerdict::Answer::kGo;
  } else if (verdict.context > 0) {
    verdict.answer = MemoryVerdict::Answer::kSmallerContext;
    verdict.warning = fmt::format("{} {} of memory: the context is {} tokens instead of {}{}{}",
                                  bounded ? "the bound leaves" : "there is", Gb(verdict.limit),
                                  verdict.context, context, eight_bits.empty() ? "" : "; ", eight_bits);
  } else {
    verdict.estimate = estimate(smallest);
    const std::uint64_t needed = verdict.estimate.total();
    verdict.advice = fmt::format(
        "{} needs {} with its smallest context of {} tokens and {} {}; {}{}{}", model.name, Gb(needed),
        smallest, Gb(verdict.limit), bounded ? "is the bound (memory.bound)" : "is available",
        bounded ? "raise the bound"
                : fmt::format("close applications that hold {}, or use another agent",
                              Gb(needed > verdict.limit ? needed - verdict.limit : 0)),
        eight_bits.empty() ? "" : "; ", eight_bits);
    return verdict;
  }
  verdict.estimate = estimate(verdict.context);
  if (verdict.warning.empty() && large && machine.total > 0 && machine.total < rules.advised_total) {
    verdict.warning = fmt::format("this machine has {} of memory; {} is advised for {}", Gb(machine.total),
                                  Gb(rules.advised_total), model.name);
  }
  return verdict;
}

}  // namespace gptoss
