// Will the model fit, with which context, and what to do if not. Pure functions over numbers, so that every
// verdict can be tested; who reads the machine is `MemoryReader`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "backend/backend.h"
#include "base/error.h"
#include "model/weights.h"
#include "platform/memory_pressure.h"
#include "platform/system.h"

namespace gptoss {

using MemoryReader = std::function<MemoryInfo()>;

// All in bytes; settings.
struct MemoryRules {
  std::uint64_t floor_total = 16'000'000'000;    // a machine with less runs no model of the 20B class
  std::uint64_t advised_total = 24'000'000'000;  // below: it runs, with a word of warning
  std::uint64_t bound = 0;               // the most this process may take for the model; 0: what is available
  std::uint64_t headroom = 500'000'000;  // left to everybody else
  std::int64_t smallest_context = 4096;  // a smaller one is not worth loading for (or the model's own)
  std::int64_t sequences = 1;            // conversations that grow to the whole context at a time
};

// Bytes. `process`: what the program holds before and beside the model (code, tokenizer, engine buffers).
struct MemoryEstimate {
  std::uint64_t weights = 0, kv = 0, scratch = 0, process = 0;
  std::uint64_t total() const { return weights + kv + scratch + process; }
};

// Of `model` with a context of so many tokens. Weights are counted whole, as a load maps every page of them;
// KV as if `sequences` conversations were full. `process_now`: resident before the load. Within 5 % of the
// measured peak (docs/provider.md has the table).
MemoryEstimate EstimateMemory(const Model& model, const CpuBackendOptions& backend, std::int64_t context,
                              std::int64_t sequences, std::uint64_t process_now);

struct MemoryVerdict {
  enum class Answer : std::uint8_t { kGo, kSmallerContext, kNo };
  Answer answer = Answer::kNo;
  std::int64_t context = 0;  // to load with; 0 with kNo
  MemoryEstimate estimate;   // for that context (kNo: for the smallest)
  std::uint64_t limit = 0;   // what it was held against
  std::string warning;       // one sentence; "" if there is nothing to say
  std::string advice;        // kNo: what to do, as one sentence with numbers
};

// `context`: wanted, > 0. Looks at total memory (floor), then at what is available or the bound, whichever is
// less, less the headroom. Memory mapped from the page cache counts as available: it is ours to read again.
MemoryVerdict Preflight(const Model& model, const CpuBackendOptions& backend, std::int64_t context,
                        const MemoryRules& rules, const MemoryInfo& machine, std::uint64_t process_now);

// Now and at the most while loaded.
struct MemoryWatermark {
  std::uint64_t weights = 0, kv = 0, scratch = 0;  // now, as the backend counts
  std::uint64_t kv_peak = 0;
  std::uint64_t kv_bound = 0;                     // what conversations may grow to together; 0: no bound
  std::uint64_t resident = 0, resident_peak = 0;  // of the process, as the system counts
  // What was predicted when it was loaded: of the process with a full context, and of that the KV.
  std::uint64_t estimated = 0, estimated_kv = 0;
};

}  // namespace gptoss
