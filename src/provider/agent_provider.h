// One model's life for any program: is it there, load it, talk to it, let it go. The contract with its
// states, rules and examples is docs/provider.md; a whole program is in examples/agent.
//
//   auto provider = GptOssAgentProvider::Create({.model = "gpt-oss-20b"}, nullptr);
//   const auto session = (*provider)->StartSession({.instructions = "Be brief."});
//   (*provider)->Stream(*session, "What is a mutex?", {.max_tokens = 400},
//                       [](const StreamChunk& chunk) { … }, [](const StreamDone& done) { … });
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "harmony/conversation.h"
#include "platform/memory_pressure.h"
#include "provider/availability.h"
#include "provider/generation.h"
#include "provider/log.h"
#include "provider/memory_guard.h"
#include "provider/telemetry.h"

namespace gptoss {

// ---- what streams ----------------------------------------------------------------------------------------

// A piece of what the model writes. Reasoning is marked and never mixed with the answer: `kAnalysis` chunks
// are not for the reader of the answer. Chunks of one message share `message_id`; ids count from 0 in a turn.
struct StreamChunk {
  enum class Channel : std::uint8_t { kAnalysis, kCommentary, kFinal, kToolCall };
  Channel channel = Channel::kFinal;
  std::int32_t message_id = 0;
  std::string text;       // whole UTF-8; for kToolCall a piece of the arguments
  std::string recipient;  // kToolCall: "functions.name"
};
std::string_view ChannelName(StreamChunk::Channel channel);  // "analysis", "commentary", "final", "tool_call"

struct ToolCall {
  std::string name;       // without "functions."
  std::string arguments;  // JSON text as the model wrote it, repaired where the parser could
};

struct StreamUsage {
  std::int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  // The context in force: what was asked for, the model's own, or what memory allowed. 0: none was loaded.
  std::int64_t context_tokens = 0;
  double first_token_ms = 0, tokens_per_second = 0;
  std::uint64_t seed = 0;
};

struct StreamDone {
  TurnEnd end = TurnEnd::kError;
  std::string
      stop_reason;     // "answer", "tool_call", "stop_string", "max_tokens", "context_limit", "cancelled", …
  std::string answer;  // what the kFinal chunks say, whole
  std::vector<ToolCall> tool_calls;
  std::string explanation;           // one sentence unless it ended well: what happened, what to do
  std::optional<Error> error;        // with TurnEnd::kError
  bool repaired = false;             // the model's output was malformed somewhere and was put right
  std::vector<std::string> repairs;  // what was repaired, by the parser's names for it
  bool retried = false;              // the model stopped without an answer and was asked once more
  std::vector<TokenId> generated;    // the ids of all that it generated, in order; at most max_tokens
  StreamUsage usage;
};

struct StreamOptions {
  std::optional<double> temperature;  // default 0.7 (settings)
  std::optional<double> top_p;        // default 0.9
  std::optional<std::int32_t> top_k;  // default 0: off
  std::optional<double> min_p;        // default 0: off
  std::int64_t max_tokens = 0;        // 0: the provider's default
  std::optional<harmony::ReasoningEffort> effort;
  std::vector<std::string>
      stop;  // the answer ends before the first of these; at most 16 of at most 256 bytes
  std::optional<harmony::ToolNamespace> tools;  // functions for this turn and the following ones
  std::optional<std::uint64_t> seed;
  std::optional<std::chrono::milliseconds> keep_alive;  // how long the model stays after this; <0: for ever
  // False: a turn that ends without an answer (cancelled, a limit) leaves no trace in the conversation, and
  // one that was cut short only its answer, so that the next prompt does not follow an unanswered one.
  bool keep_unanswered = true;
};

// Called on a thread of the provider, one at a time per stream. A callback that does not return holds up its
// own stream only: the engine stops after a bounded number of tokens. Callbacks may call the provider, Cancel
// included.
using OnChunk = std::function<void(const StreamChunk&)>;
using OnDone = std::function<void(const StreamDone&)>;

using SessionId = std::string;

struct SessionOptions {
  std::string instructions;                        // developer message
  std::optional<harmony::ReasoningEffort> effort;  // none: the provider's, else medium
  std::optional<std::string> date;                 // YYYY-MM-DD; none: today
};

struct SessionInfo {
  SessionId id;
  std::size_t messages = 0;
  bool busy = false;         // a turn runs or waits
  bool interrupted = false;  // the last turn was cancelled or failed
};

// ---- how it is set up ------------------------------------------------------------------------------------

enum class PressurePolicy : std::uint8_t { kFinishTurns, kCancelTurns };

struct ProviderOptions {
  // Without a source: a folder or file, a name in the catalog or org/name (hub_source.h); "": the embedded
  // demo.
  std::string model;
  // Defaults of StreamOptions.
  double temperature = 0.7, top_p = 0.9, min_p = 0;
  std::int32_t top_k = 0;
  std::optional<std::uint64_t> seed;
  std::int64_t max_tokens = 0;  // 0: none
  std::optional<harmony::ReasoningEffort> effort;
  // Memory.
  MemoryRules memory;
  CpuBackendOptions backend;
  std::int64_t context_tokens = 0;  // 0: the model's own, or what the guard allows
  std::chrono::milliseconds idle_unload{std::chrono::minutes(10)};  // < 0: never
  PressurePolicy pressure = PressurePolicy::kFinishTurns;
  bool preload = false;
  // Streaming.
  std::size_t buffer_chunks = 64;      // tokens that wait for a slow reader before the engine pauses
  std::size_t max_waiting_turns = 16;  // prompts that may wait in one session
  std::size_t max_sessions = 1024;
  TelemetryOptions telemetry;
  LogSink log;  // {}: nothing is said
  // Called with true before the model takes memory and with false after it gave it back, so that embeddings,
  // reranking and the like can make room. May be empty.
  std::function<void(bool)> suspend_consumers;
  MemoryReader read_memory;  // {}: this machine; tests give their own
  // Where memory pressure is heard of. {}: the system. Tests and programs that watch it themselves give
  // another, or one that gives nullptr: then OnMemoryPressure alone tells.
  std::function<std::unique_ptr<MemoryPressureSource>()> pressure_source = SystemMemoryPressureSource;
};

// The model that is in memory; empty while none is.
struct ModelFacts {
  std::string name, hash;  // as its files call it; 12 hex digits (see fingerprint.h)
  std::string backend;     // "cpu: avx512_vnni, 2 threads, int8 activations, bf16 kv"
  // In force: what was asked for, the model's own, or what memory allowed; and what its files say.
  std::int64_t context_tokens = 0, max_context_tokens = 0;
  MemoryEstimate estimate;  // bytes, of that context when it is full; made before the load
};

// What a model is loaded from: by default the disk; programs with a model of their own and tests give
// another.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  // Cheap (< 20 ms): is it there, is it whole, may it run here? Never kLoading or kReady.
  virtual Availability Look() = 0;
  // Opens (maps) the checkpoint. `path`: instead of the configured one.
  virtual Result<Checkpoint> Open(const std::optional<std::string>& path) = 0;
  // Turns an opened checkpoint into one that runs. `on_fraction`: 0 to 1, on this thread.
  virtual Result<std::unique_ptr<LoadedModel>> Load(const Checkpoint& checkpoint,
                                                    const LoadedModel::Options& options,
                                                    const std::function<void(double)>& on_fraction,
                                                    const CancelToken& cancel) = 0;
  // Fetches it; reports through `on_state` (kDownloading). Acknowledgement and policy are the source's to
  // check.
  virtual Status Install(const std::string& acknowledged_by,
                         const std::function<void(const Availability&)>& on_state,
                         const CancelToken& cancel) = 0;
};
// The embedded demo (""), or a folder or file.
std::unique_ptr<ModelSource> LocalModelSource(std::string path);
// What sources do after Open: brings the mapped pages in, with progress and cancel, then makes the model run.
Result<std::unique_ptr<LoadedModel>> LoadMapped(const Checkpoint& checkpoint,
                                                const LoadedModel::Options& options,
                                                const std::function<void(double)>& on_fraction,
                                                const CancelToken& cancel);

// ---- the provider ----------------------------------------------------------------------------------------

// Every method is safe from any thread. Destroying it cancels all turns, unloads and joins its threads.
class GptOssAgentProvider {
 public:
  static Result<std::unique_ptr<GptOssAgentProvider>> Create(ProviderOptions options,
                                                             std::unique_ptr<ModelSource> source);
  virtual ~GptOssAgentProvider() = default;

  virtual Availability availability() const = 0;
  // Looks again (a model was installed or deleted by somebody else). Not while loading or ready.
  virtual Availability Refresh() = 0;
  // Every change, in order, on a thread of the provider. The number stops it; when Stop returns, no call is
  // running (called from the observer itself: none will come any more).
  using Observer = std::function<void(const Availability&)>;
  virtual int Observe(Observer observer) = 0;
  virtual void StopObserving(int number) = 0;

  // Waits until the model is ready. Loads that overlap join; ready: returns at once. With `path` a different
  // model from the configured one is loaded from now on; kFailedPrecondition while another is in use. A load
  // goes on as long as anybody waits for it. Errors: kResourceExhausted (the memory guard's advice),
  // kNotFound, kDataLoss, kCancelled, kPermissionDenied (which rule of which file).
  virtual Status Load(std::optional<std::string> path = std::nullopt, CancelToken cancel = {}) = 0;
  // Gives the memory back; running turns end first (kFinishTurns: as they will, kCancelTurns: now).
  // Idempotent.
  virtual void Unload(PressurePolicy turns = PressurePolicy::kFinishTurns) = 0;
  // Downloads and waits for that (see availability for how far it is); a second call joins the first.
  // `acknowledged_by` says how the user accepted the licence and is recorded with it.
  virtual Status Install(const std::string& acknowledged_by, CancelToken cancel = {}) = 0;

  virtual Result<SessionId> StartSession(const SessionOptions& options = {}) = 0;
  // Opens a session again: one that was interrupted, or one from a Snapshot of this or an earlier program.
  virtual Result<SessionInfo> Resume(const SessionId& session) = 0;
  virtual Result<SessionId> Resume(const harmony::Conversation& snapshot) = 0;
  virtual Result<harmony::Conversation> Snapshot(const SessionId& session) const = 0;
  virtual Result<SessionInfo> Info(const SessionId& session) const = 0;
  virtual void EndSession(const SessionId& session) = 0;  // cancels what runs in it

  // A turn. Returns at once; loads the model where that is necessary. `on_done` comes exactly once if this
  // returns ok, and nothing after it. Turns of one session wait for each other, in order; sessions run side
  // by side. Errors at once: kNotFound (no such session), kInvalidArgument (options), kUnavailable (too many
  // turns wait).
  virtual Status Stream(const SessionId& session, std::string prompt, const StreamOptions& options,
                        OnChunk on_chunk, OnDone on_done) = 0;
  virtual Status Stream(const SessionId& session, std::vector<harmony::Message> messages,
                        const StreamOptions& options, OnChunk on_chunk, OnDone on_done) = 0;
  // Ends the running turn and those that wait; each gets its on_done with kCancelled. Unknown sessions:
  // nothing.
  virtual void Cancel(const SessionId& session) = 0;

  // What the machine or the embedding program says of memory.
  virtual void OnMemoryPressure(MemoryPressure pressure) = 0;
  // Now and at the most, split; zero while nothing is loaded.
  virtual MemoryWatermark memory() const = 0;
  virtual MetricsSnapshot metrics() const = 0;
  virtual ModelFacts model() const = 0;
  // Why the log of numbers is not written although it was asked for; "" if it is. Never stops a turn.
  virtual std::string telemetry_problem() const = 0;
};

// The provider's counters and memory, now, in Prometheus' text format 0.0.4: what a server answers to a
// scrape.
std::string PrometheusText(const GptOssAgentProvider& provider);

}  // namespace gptoss
