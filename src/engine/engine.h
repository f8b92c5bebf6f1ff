// Schedules generations on a backend. Token ids in, token ids out; it knows no text.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/cancel.h"
#include "base/error.h"

namespace gptoss {

// temperature 0: greedy (exact argmax, lowest id on ties); the others are then ignored. Applied in the order
// temperature, top_k, top_p, min_p (see sampler.h).
struct SamplingOptions {
  double temperature = 0.7;                // 0 to 100
  double top_p = 0.9;                      // 0 to 1; 1: off
  std::int32_t top_k = 0;                  // 0: off
  double min_p = 0.0;                      // 0 to 1; 0: off
  std::optional<std::uint64_t> seed = {};  // none: a fresh one, reported in GenerationStats
};
// kInvalidArgument names the option, the range and what was given.
Status ValidateSampling(const SamplingOptions& options);

enum class StopReason : std::uint8_t {
  kStopToken,     // one of GenerationRequest::stop_ids (it is delivered too)
  kMaxTokens,     // the request's limit
  kContextLimit,  // the conversation fills the context
  kCancelled,
  kError,
};
std::string_view StopReasonName(StopReason reason);

struct GenerationRequest {
  std::string conversation =
      {};  // key: requests with the same key share one sequence (prefix reuse); "": none
  std::vector<std::int32_t> prompt = {};
  SamplingOptions sampling = {};
  std::vector<std::int32_t> stop_ids = {};
  std::int64_t max_tokens = 0;  // 0: up to the context limit
  CancelToken cancel = {};
};

struct GenerationStats {
  std::int64_t prompt_tokens = 0;
  std::int64_t reused_tokens = 0;     // of them, not computed again
  std::int64_t generated_tokens = 0;  // delivered to the stream
  // Work on the prompt; from Submit to the first token (waiting included); work after the first token.
  double prefill_seconds = 0, first_token_seconds = 0, decode_seconds = 0;
  std::uint64_t seed = 0;
  StopReason stop = StopReason::kError;
  std::optional<Error> error;  // with kError
};

// The reading end of one generation. One reader; dropping it cancels the generation. May outlive the engine.
class TokenStream {
 public:
  virtual ~TokenStream() = default;
  // Waits for the next id; nullopt at the end, when stats() is final.
  virtual std::optional<std::int32_t> Next() = 0;
  // Ends the generation soon: Next() drains what is there, then returns nullopt. Safe from any thread.
  virtual void Cancel() = 0;
  // Empty until Next() has returned nullopt.
  virtual const GenerationStats& stats() const = 0;
};

struct EngineOptions {
  std::int64_t context_tokens = 0;    // 0: min(model's, 131072)
  std::int64_t prefill_chunk = 256;   // rows per call while reading a prompt; cancel is looked at between
  std::size_t stream_capacity = 64;   // ids that wait for a slow reader; then generation pauses
  std::size_t max_conversations = 4;  // kept idle sequences; the least recently used is dropped
  std::size_t max_active = 8;         // generations that run together; later ones wait their turn
  // A generation that finds no memory waits for another one to end, at most so long; then it is refused.
  std::chrono::milliseconds memory_wait{30'000};
};

// Owns one thread, which owns the backend. All methods are safe from any thread.
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> Create(std::unique_ptr<Backend> backend,
                                                const EngineOptions& options = {});
  virtual ~Engine() = default;  // cancels everything and joins
  // Errors at once: kInvalidArgument (empty prompt, id outside the vocabulary, bad sampling), kOutOfRange
  // (prompt that leaves no room in the context), kUnavailable (too many requests wait). A request whose
  // conversation is being generated waits until that is over.
  virtual Result<std::unique_ptr<TokenStream>> Submit(GenerationRequest request) = 0;
  virtual void ForgetConversation(const std::string& key) = 0;
  // Frees every conversation that is not being generated, soon. They are read again when they go on.
  virtual void DropIdleConversations() = 0;
  // As of the last step of the engine's thread.
  virtual BackendMemory memory() const = 0;
  virtual std::int64_t context_tokens() const = 0;
  virtual std::string backend_description() const = 0;
};

}  // namespace gptoss
