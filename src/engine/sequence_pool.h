// The sequences of a backend and what they have read. Used by the engine's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/error.h"

namespace gptoss {

// `ids` is what the backend's sequence has read: always as long as the backend's Length.
struct PooledSequence {
  SequenceId id = 0;
  std::string key;  // "": nobody comes back to it
  std::vector<std::int32_t> ids;
  bool busy = false;
  bool forget = false;  // free it when it is no longer busy
  std::uint64_t last_used = 0;
};

class SequencePool {
 public:
  SequencePool(Backend& backend, std::int64_t context_tokens, std::size_t max_idle)
      : backend_(&backend), context_tokens_(context_tokens), max_idle_(max_idle) {}

  // The idle sequence of that key or a new one, cut back to what it shares with `prompt`, less at least the
  // prompt's last token (somebody must ask for logits). Busy until Release or Discard. Precondition: no busy
  // sequence has this key.
  Result<PooledSequence*> Acquire(const std::string& key, std::span<const std::int32_t> prompt);
  void Release(PooledSequence* sequence);
  // As Release, but its state is not trusted any more.
  void Discard(PooledSequence* sequence);
  void Forget(const std::string& key);
  // Frees every idle sequence; false when there was none.
  bool DropIdle();

 private:
  void Free(PooledSequence* sequence);
  void Trim();

  Backend* backend_;
  std::int64_t context_tokens_;
  std::size_t max_idle_;
  std::uint64_t clock_ = 0;
  std::list<PooledSequence> sequences_;  // a list: pointers stay
};

}  // namespace gptoss
