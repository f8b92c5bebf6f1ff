#include "engine/sequence_pool.h"

#include <algorithm>
#include <utility>

namespace gptoss {

Result<PooledSequence*> SequencePool::Acquire(const std::string& key, std::span<const std::int32_t> prompt) {
  const auto found = std::find_if(sequences_.begin(), sequences_.end(), [&](const PooledSequence& s) {
    return !s.busy && !key.empty() && s.key == key;
  });
  if (found == sequences_.end()) {
    auto created = backend_->CreateSequence(context_tokens_);
    if (!created && created.error().code == ErrorCode::kResourceExhausted && DropIdle()) {
      created = backend_->CreateSequence(context_tokens_);
    }
    if (!created) return std::unexpected(std::move(created).error());
    PooledSequence& fresh = sequences_.emplace_back();
    fresh.id = *created;
    fresh.key = key;
    fresh.busy = true;
    return &fresh;
  }
  found->busy = true;
  const auto common = static_cast<std::size_t>(
      std::mismatch(found->ids.begin(), found->ids.end(), prompt.begin(), prompt.end()).first -
      found->ids.begin());
  const std::size_t wanted = std::min(common, prompt.size() - 1);
  if (wanted < found->ids.size()) {
    const std::int64_t kept = backend_->Truncate(found->id, static_cast<std::int64_t>(wanted));
    found->ids.resize(std::min(static_cast<std::size_t>(std::max<std::int64_t>(kept, 0)), wanted));
  }
  return &*found;
}

void SequencePool::Release(PooledSequence* sequence) {
  if (sequence->key.empty() || sequence->forget) return Free(sequence);
  sequence->busy = false;
  sequence->last_used = ++clock_;
  Trim();
}

void SequencePool::Discard(PooledSequence* sequence) { Free(sequence); }

void SequencePool::Forget(const std::string& key) {
  for (auto it = sequences_.begin(); it != sequences_.end();) {
    PooledSequence& sequence = *it++;
    if (sequence.key != key || key.empty()) continue;
    if (sequence.busy) {
      sequence.forget = true;
    } else {
      Free(&sequence);
    }
  }
}

bool SequencePool::DropIdle() {
  bool dropped = false;
  for (auto it = sequences_.begin(); it != sequences_.end();) {
    PooledSequence& sequence = *it++;
    if (sequence.busy) continue;
    Free(&sequence);
    dropped = true;
  }
  return dropped;
}

void SequencePool::Free(PooledSequence* sequence) {
  backend_->FreeSequence(sequence->id);
  sequences_.remove_if([&](const PooledSequence& s) { return &s == sequence; });
}

void SequencePool::Trim() {
  const auto idle = [](const PooledSequence& s) { return !s.busy; };
  while (static_cast<std::size_t>(std::count_if(sequences_.begin(), sequences_.end(), idle)) > max_idle_) {
    PooledSequence* oldest = nullptr;
    for (PooledSequence& sequence : sequences_) {
      if (!sequence.busy && (oldest == nullptr || sequence.last_used < oldest->last_used)) oldest = &sequence;
    }
    Free(oldest);
  }
}

}  // namespace gptoss
