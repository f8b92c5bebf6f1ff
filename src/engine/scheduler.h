// What the engine's thread does: starts generations, reads prompts in chunks, decodes all together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "engine/engine.h"
#include "engine/generation.h"
#include "engine/sampler.h"
#include "engine/sequence_pool.h"

namespace gptoss {

// Every method runs on the engine's thread.
class Scheduler {
 public:
  // `options` are resolved: no zeros that mean "choose". `shutdown` ends calls on behalf of several.
  Scheduler(Backend& backend, const EngineOptions& options, Mailbox& mailbox, CancelToken shutdown);

  // Until the mailbox says stop; then everything is cancelled.
  void Run();
  // As of the last step. Safe from any thread.
  BackendMemory memory() const {
    return {.weights = weights_.load(std::memory_order_relaxed),
            .kv = kv_.load(std::memory_order_relaxed),
            .scratch = scratch_.load(std::memory_order_relaxed)};
  }

 private:
  using GenerationPointer = std::shared_ptr<Generation>;

  void Step();
  void EndCancelled();
  void StartWaiting();
  bool MayStart(const Generation& generation, std::size_t place) const;
  void Start(const GenerationPointer& generation);
  void PrefillOne();
  void PrefillChunk(const GenerationPointer& generation);
  void DecodeAll();
  void DecodeAlone(const GenerationPointer& generation);
  void Stall(const GenerationPointer& generation, Error error);
  void RefuseIfAllStall();
  void Publish();
  Status Forward(std::size_t wanted, const CancelToken& cancel);
  std::span<const float> Logits(std::size_t row) const;
  void Accept(const GenerationPointer& generation, std::span<const float> logits);
  void Deliver(const GenerationPointer& generation);
  void FailOrCancel(const GenerationPointer& generation, Error error);
  void Finish(const GenerationPointer& generation, StopReason reason, bool trust_sequence = true);
  void FinishAll(StopReason reason, const char* message);
  Mailbox::Patience PatienceNow() const;

  Backend* backend_;
  EngineOptions options_;
  Mailbox* mailbox_;
  CancelToken shutdown_;
  SequencePool pool_;
  Sampler sampler_;
  std::deque<GenerationPointer> waiting_;
  std::vector<GenerationPointer> active_;
  std::size_t prefill_turn_ = 0;
  std::atomic<std::uint64_t> weights_{0}, kv_{0}, scratch_{0};
  // Kept between steps, so that a token allocates nothing.
  std::vector<BatchRow> rows_;
  std::vector<GenerationPointer> batch_;
  std::vector<float> logits_;
};

}  // namespace gptoss
