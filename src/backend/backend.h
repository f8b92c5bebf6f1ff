// The seam between the engine and code that can run a checkpoint. Ids and positions in, logits out; no text.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "model/weights.h"

namespace gptoss {

using SequenceId = std::int32_t;

// One row of a batch: the token at the next free position of its sequence. Rows of one sequence stand in
// order; rows of several sequences may be mixed.
struct BatchRow {
  SequenceId sequence = 0;
  std::int32_t token = 0;
  bool wants_logits = false;
};

struct BackendMemory {
  std::uint64_t weights = 0, kv = 0, scratch = 0;  // bytes
};

// Thread rule: one thread (the engine's) calls everything but the const getters.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual const ModelConfig& config() const = 0;
  virtual std::string description() const = 0;  // "cpu: avx512_vnni, 2 threads, int8 activations, bf16 kv"
  virtual BackendMemory memory() const = 0;
  virtual std::int64_t max_batch_rows() const = 0;

  // A new empty sequence that may grow to `max_tokens`; memory grows with what is used.
  virtual Result<SequenceId> CreateSequence(std::int64_t max_tokens) = 0;
  virtual void FreeSequence(SequenceId sequence) = 0;
  virtual std::int64_t Length(SequenceId sequence) const = 0;
  // A copy of the first `length` tokens under a new id (same rule as Truncate for window layers).
  virtual Result<SequenceId> Fork(SequenceId sequence, std::int64_t length) = 0;
  // Remembers the window layers' state at the present length, so that Truncate can come back here exactly.
  // Keeps the newest few (an implementation's constant, at least 4) per sequence.
  virtual void MarkBoundary(SequenceId sequence) = 0;
  // Goes back to the longest state of at most `length` tokens that can be restored exactly, and returns its
  // length (0 if nothing can); the caller feeds the rest again.
  virtual std::int64_t Truncate(SequenceId sequence, std::int64_t length) = 0;

  // Runs the rows. `logits`: for every row that wants them, in order, `vocab` floats; its size must fit.
  // On error or cancel (checked between layers) the sequences are as long as before.
  virtual Status Forward(std::span<const BatchRow> rows, std::span<float> logits,
                         const CancelToken& cancel) = 0;
};

struct CpuBackendOptions {
  int threads = 0;       // 0: all usable CPUs
  bool precise = false;  // float activations and float KV: slower, closest to the true function
  std::string kernels;   // "": best for this CPU; else "portable", "avx2", "avx512", "neon" …
  // Keys and values of all sequences together never take more; a Forward that would is kResourceExhausted and
  // leaves everything as it was. 0: no bound.
  std::uint64_t kv_bound_bytes = 0;
  // 16 or 8 bits an element of keys and values (8: codes in groups of 32 with a scale, 53 % of the memory).
  // Ignored by `precise`.
  int kv_bits = 16;
};
// What a backend made from these holds at the most, without making it: weights whole, KV of `sequences` that
// fill a context of so many tokens (snapshots included), scratch as allocated.
BackendMemory EstimateCpuMemory(const Model& model, const CpuBackendOptions& options,
                                std::int64_t context_tokens, std::int64_t sequences);
// Errors: kUnsupported for kernels that this CPU lacks.
Result<std::unique_ptr<Backend>> CreateCpuBackend(std::shared_ptr<const Model> model,
                                                  const CpuBackendOptions& options = {});

}  // namespace gptoss
