#include "engine/scheduler.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace gptoss {

Scheduler::Scheduler(Backend& backend, const EngineOptions& options, Mailbox& mailbox, CancelToken shutdown)
    : backend_(&backend),
      options_(options),
      mailbox_(&mailbox),
      shutdown_(std::move(shutdown)),
      pool_(backend, options.context_tokens, options.max_conversations),
      sampler_(backend.config().vocab),
      logits_(options.max_active * static_cast<std::size_t>(backend.config().vocab)) {
  rows_.reserve(static_cast<std::size_t>(options.prefill_chunk) + options.max_active);
  batch_.reserve(options.max_active);
  active_.reserve(options.max_active);
}

void Scheduler::Run() {
  for (;;) {
    Mailbox::Letters letters = mailbox_->Take(PatienceNow());
    for (GenerationPointer& generation : letters.submitted) waiting_.push_back(std::move(generation));
    for (const std::string& key : letters.forgotten) pool_.Forget(key);
    if (letters.drop_idle) pool_.DropIdle();
    if (letters.stopping) break;
    try {
      Step();
    } catch (const std::exception&) {  // only an allocation can throw here
      FinishAll(StopReason::kError, "no memory for this generation; close other programs and try again");
    }
    Publish();
  }
  FinishAll(StopReason::kCancelled, nullptr);
  pool_.DropIdle();
}

Mailbox::Patience Scheduler::PatienceNow() const {
  for (const GenerationPointer& generation : active_) {
    if (generation->phase != Generation::Phase::kDeliver && !generation->stalled)
      return Mailbox::Patience::kNone;
  }
  return active_.empty() && waiting_.empty() ? Mailbox::Patience::kEndless : Mailbox::Patience::kShort;
}

void Scheduler::Step() {
  EndCancelled();
  StartWaiting();
  PrefillOne();
  // By index over a copy: Deliver may finish a generation and so remove it.
  batch_ = active_;
  for (const GenerationPointer& generation : batch_) {
    if (generation->phase == Generation::Phase::kDeliver) Deliver(generation);
  }
  DecodeAll();
  RefuseIfAllStall();
}

void Scheduler::Publish() {
  const BackendMemory memory = backend_->memory();
  weights_.store(memory.weights, std::memory_order_relaxed);
  kv_.store(memory.kv, std::memory_order_relaxed);
  scratch_.store(memory.scratch, std::memory_order_relaxed);
}

// No memory for its next step. While others run it keeps what it has read and waits for what they give back.
void Scheduler::Stall(const GenerationPointer& generation, Error error) {
  if (error.code != ErrorCode::kResourceExhausted || active_.size() < 2) {
    return FailOrCancel(generation, std::move(error));
  }
  generation->stalled = true;
  generation->stalled_since = EngineClock::now();
  generation->stats.error = std::move(error);
}

// Nobody is left who could give memory back by ending, or it takes too long (a reader that has gone to
// sleep): the youngest that waits is refused, so that the others go on.
void Scheduler::RefuseIfAllStall() {
  const auto youngest =
      std::find_if(active_.rbegin(), active_.rend(), [](const auto& g) { return g->stalled; });
  if (youngest == active_.rend()) return;
  const bool all = std::ranges::all_of(active_, [](const auto& g) { return g->stalled; });
  if (!all && EngineClock::now() - (*youngest)->stalled_since < options_.memory_wait) return;
  auto error = std::exchange((*youngest)->stats.error, std::nullopt);
  // A copy of the pointer: what ends leaves the list.
  FailOrCancel(GenerationPointer(*youngest),
               std::move(error).value_or(Error{ErrorCode::kResourceExhausted, "no memory"}));
}

void Scheduler::EndCancelled() {
  batch_ = active_;
  for (const GenerationPointer& generation : batch_) {
    if (generation->cancelled()) Finish(generation, StopReason::kCancelled);
  }
  for (std::size_t i = 0; i < waiting_.size();) {
    const GenerationPointer generation = waiting_[i];
    if (!generation->cancelled()) {
      ++i;
      continue;
    }
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    Finish(generation, StopReason::kCancelled);
  }
}

// One writer per conversation, and in the order of submission.
bool Scheduler::MayStart(const Generation& generation, std::size_t place) const {
  const std::string& key = generation.request.conversation;
  if (key.empty()) return true;
  const auto same = [&](const GenerationPointer& other) { return other->request.conversation == key; };
  return std::none_of(active_.begin(), active_.end(), same) &&
         std::none_of(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(place), same);
}

void Scheduler::StartWaiting() {
  for (std::size_t i = 0; i < waiting_.size() && active_.size() < options_.max_active;) {
    const GenerationPointer generation = waiting_[i];
    if (!MayStart(*generation, i)) {
      ++i;
      continue;
    }
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    active_.push_back(generation);
    Start(generation);
  }
}

void Scheduler::Start(const GenerationPointer& generation) {
  const GenerationRequest& request = generation->request;
  GenerationStats& stats = generation->stats;
  stats.prompt_tokens = static_cast<std::int64_t>(request.prompt.size());
  generation->random = UniformSource(stats.seed);
  auto sequence = pool_.Acquire(request.conversation, request.prompt);
  if (!sequence) return FailOrCancel(generation, std::move(sequence).error());
  generation->sequence = *sequence;
  stats.reused_tokens = static_cast<std::int64_t>((*sequence)->ids.size());
}

// One chunk of one prompt per step, prompts in turn, so that neither a long prompt nor many of them stop
// those who decode for longer than a chunk takes.
void Scheduler::PrefillOne() {
  for (std::size_t tries = 0; tries < active_.size(); ++tries) {
    const GenerationPointer generation = active_[prefill_turn_++ % active_.size()];
    if (generation->phase == Generation::Phase::kPrefill && !generation->stalled) {
      return PrefillChunk(generation);
    }
  }
}

void Scheduler::PrefillChunk(const GenerationPointer& generation) {
  const auto start = EngineClock::now();
  const std::vector<std::int32_t>& prompt = generation->request.prompt;
  PooledSequence& sequence = *generation->sequence;
  const std::size_t begin = sequence.ids.size();
  const std::size_t end = std::min(prompt.size(), begin + static_cast<std::size_t>(options_.prefill_chunk));
  const bool last = end == prompt.size();
  rows_.clear();
  for (std::size_t i = begin; i < end; ++i) {
    rows_.push_back({sequence.id, prompt[i], last && i + 1 == end});
  }
  Status done = Forward(last ? 1 : 0, generation->stop.token());
  if (!done) return Stall(generation, std::move(done).error());
  sequence.ids.insert(sequence.ids.end(), prompt.begin() + static_cast<std::ptrdiff_t>(begin),
                      prompt.begin() + static_cast<std::ptrdiff_t>(end));
  generation->stats.prefill_seconds += SecondsSince(start);
  if (!last) return;
  // The next turn's prompt leaves out this turn's reasoning: it branches off here.
  backend_->MarkBoundary(sequence.id);
  Accept(generation, Logits(0));
}

void Scheduler::DecodeAll() {
  const auto start = EngineClock::now();
  rows_.clear();
  batch_.clear();
  for (const GenerationPointer& generation : active_) {
    if (generation->phase != Generation::Phase::kDecode || generation->stalled || generation->cancelled())
      continue;
    rows_.push_back({generation->sequence->id, generation->next, true});
    batch_.push_back(generation);
  }
  if (batch_.empty()) return;
  const Status done = Forward(batch_.size(), batch_.size() == 1 ? batch_.front()->stop.token() : shutdown_);
  if (!done && batch_.size() > 1) {
    // A failed batch leaves its sequences as they were: alone, only those who are at fault fail.
    const std::vector<GenerationPointer> each = batch_;
    for (const GenerationPointer& generation : each) DecodeAlone(generation);
    return;
  }
  const double seconds = SecondsSince(start);
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    const GenerationPointer generation = batch_[i];
    if (!done) {
      Stall(generation, done.error());
      continue;
    }
    generation->sequence->ids.push_back(generation->next);
    generation->stats.decode_seconds += seconds;
    Accept(generation, Logits(i));
  }
  batch_.clear();
}

void Scheduler::DecodeAlone(const GenerationPointer& generation) {
  const auto start = EngineClock::now();
  rows_.assign(1, {generation->sequence->id, generation->next, true});
  Status done = Forward(1, generation->stop.token());
  if (!done) return Stall(generation, std::move(done).error());
  generation->sequence->ids.push_back(generation->next);
  generation->stats.decode_seconds += SecondsSince(start);
  Accept(generation, Logits(0));
}

// rows_ through the backend; when memory is short, once more without the idle conversations.
Status Scheduler::Forward(std::size_t wanted, const CancelToken& cancel) {
  const std::span<float> logits =
      std::span(logits_).first(wanted * static_cast<std::size_t>(backend_->config().vocab));
  Status done = backend_->Forward(rows_, logits, cancel);
  if (!done && done.error().code == ErrorCode::kResourceExhausted && pool_.DropIdle()) {
    done = backend_->Forward(rows_, logits, cancel);
  }
  return done;
}

std::span<const float> Scheduler::Logits(std::size_t row) const {
  const auto vocab = static_cast<std::size_t>(backend_->config().vocab);
  return std::span(logits_).subspan(row * vocab, vocab);
}

void Scheduler::Accept(const GenerationPointer& generation, std::span<const float> logits) {
  const auto id = sampler_.Sample(logits, generation->request.sampling, generation->random);
  if (!id) {
    return FailOrCancel(generation, {ErrorCode::kDataLoss,
                                     "the model's output has no finite number; the checkpoint is damaged or "
                                     "not what it claims to be"});
  }
  GenerationStats& stats = generation->stats;
  if (stats.generated_tokens == 0) stats.first_token_seconds = SecondsSince(generation->submitted);
  generation->next = *id;
  Deliver(generation);
}

void Scheduler::Deliver(const GenerationPointer& generation) {
  // The flag goes up before the second look, and the reader takes an id before it looks at the flag: one of
  // the two sees the other.
  if (!generation->channel.TryPush(generation->next)) {
    generation->paused.store(true);
    if (!generation->channel.TryPush(generation->next)) {
      generation->phase = Generation::Phase::kDeliver;
      return;
    }
  }
  generation->paused.store(false);
  generation->phase = Generation::Phase::kDecode;
  const GenerationRequest& request = generation->request;
  GenerationStats& stats = generation->stats;
  ++stats.generated_tokens;
  const auto& stops = request.stop_ids;
  if (std::find(stops.begin(), stops.end(), generation->next) != stops.end()) {
    Finish(generation, StopReason::kStopToken);
  } else if (request.max_tokens > 0 && stats.generated_tokens >= request.max_tokens) {
    Finish(generation, StopReason::kMaxTokens);
  } else if (stats.prompt_tokens + stats.generated_tokens >= options_.context_tokens) {
    Finish(generation, StopReason::kContextLimit);
  }
}

void Scheduler::FailOrCancel(const GenerationPointer& generation, Error error) {
  if (error.code == ErrorCode::kCancelled) return Finish(generation, StopReason::kCancelled);
  if (error.code == ErrorCode::kResourceExhausted) {
    error.message += "; close other programs, shorten the conversation or choose a smaller context";
  }
  generation->stats.error = std::move(error);
  Finish(generation, StopReason::kError, /*trust_sequence=*/false);
}

void Scheduler::Finish(const GenerationPointer& generation, StopReason reason, bool trust_sequence) {
  generation->stats.stop = reason;
  if (reason != StopReason::kError) generation->stats.error.reset();  // an old want of memory
  if (generation->sequence != nullptr) {
    trust_sequence ? pool_.Release(generation->sequence) : pool_.Discard(generation->sequence);
    generation->sequence = nullptr;
  }
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the reference may point into active_.
  const GenerationPointer keep = generation;
  std::erase(active_, keep);
  for (const GenerationPointer& other : active_) {  // memory came back: everybody tries again
    if (other->stalled) other->stats.error.reset();
    other->stalled = false;
  }
  mailbox_->Finished();
  keep->channel.Close();
}

void Scheduler::FinishAll(StopReason reason, const char* message) {
  while (!active_.empty() || !waiting_.empty()) {
    const GenerationPointer generation = active_.empty() ? waiting_.front() : active_.back();
    if (active_.empty()) waiting_.pop_front();
    if (message != nullptr) generation->stats.error = Error{ErrorCode::kResourceExhausted, message};
    Finish(generation, reason, /*trust_sequence=*/false);
  }
}

}  // namespace gptoss
