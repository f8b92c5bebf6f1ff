#include "provider/memory_guard.h"

#include <fmt/format.h>

#include <algorithm>

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
  const auto fits = [&](std::int64_t tokens) {
    return verdict.limit == 0 ? !bounded && !known : estimate(tokens).total() <= verdict.limit;
  };
  const std::int64_t smallest = std::min({context, rules.smallest_context, model.config.max_context});
  if (fits(context)) {
    verdict.answer = MemoryVerdict::Answer::kGo;
    verdict.context = context;
  } else if (smallest < context && fits(smallest)) {
    // Memory grows with the context: the largest number of steps that fits is found by halving.
    std::int64_t low = 0, high = (context - smallest) / kStep;
    while (low < high) {
      const std::int64_t middle = low + (high - low + 1) / 2;
      if (fits(smallest + middle * kStep)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    verdict.answer = MemoryVerdict::Answer::kSmallerContext;
    verdict.context = smallest + low * kStep;
    verdict.warning =
        fmt::format("{} {} of memory: the context is {} tokens instead of {}",
                    bounded ? "the bound leaves" : "there is", Gb(verdict.limit), verdict.context, context);
  } else {
    verdict.estimate = estimate(smallest);
    const std::uint64_t needed = verdict.estimate.total();
    verdict.advice = fmt::format(
        "{} needs {} with its smallest context of {} tokens and {} {}; {}", model.name, Gb(needed), smallest,
        Gb(verdict.limit), bounded ? "is the bound (memory.bound)" : "is available",
        bounded ? "raise the bound"
                : fmt::format("close applications that hold {}, or use another agent",
                              Gb(needed > verdict.limit ? needed - verdict.limit : 0)));
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
