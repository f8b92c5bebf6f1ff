// One loaded model with everything a turn needs: checkpoint, tokenizer, engine, Harmony in and out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/cancel.h"
#include "base/error.h"
#include "engine/engine.h"
#include "harmony/conversation.h"
#include "harmony/parser.h"
#include "model/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace gptoss {

struct TurnOptions {
  SamplingOptions sampling;
  std::int64_t max_tokens = 0;
  std::string conversation_key;  // "" : no reuse between turns
  CancelToken cancel;
};

// Why a turn ended, as its reader sees it.
enum class TurnEnd : std::uint8_t {
  kAnswer,
  kToolCall,
  kMaxTokens,
  kContextLimit,
  kCancelled,
  kNoAnswer,
  kError
};
std::string_view TurnEndName(TurnEnd end);

// `answer` is what the events streamed as Route::kAnswer, put together. Only when there was none of that it
// is the unchannelled text, which nobody can know to be the answer before the end: a face that has streamed
// no answer prints `answer` at the end.
struct TurnResult {
  std::vector<harmony::ParsedMessage> messages;
  std::vector<std::vector<TokenId>> message_ids;  // of each of them, as history; empty where it has none
  std::vector<std::string> flags;                 // repairs of the parser
  std::string answer;  // never blank with kAnswer; with kMaxTokens and the like as far as it came
  TurnEnd end = TurnEnd::kError;
  std::string explanation;         // one sentence unless kAnswer or kToolCall: what happened, what to do
  bool retried = false;            // the model stopped without an answer and was asked once more
  GenerationStats stats;           // of all tries together
  std::vector<TokenId> generated;  // ids as sampled
};

// Safe from any thread; turns of several threads are interleaved by the engine.
class LoadedModel {
 public:
  struct Options {
    CpuBackendOptions backend;
    EngineOptions engine;
  };
  // Errors: kFailedPrecondition (no tokenizer), kDataLoss (tokenizer and model do not fit together), those of
  // the backend and the engine.
  static Result<std::unique_ptr<LoadedModel>> Load(const Checkpoint& checkpoint, const Options& options);
  virtual ~LoadedModel() = default;

  // Runs one turn and calls `on_event` on the calling thread for every parser event, in order. A turn that
  // ends without a final message is continued once inside a forced final header; the reader always gets an
  // answer, a tool call or an explanation. The continuation has a parser of its own, whose messages() count
  // from zero; kTurnEnd comes once, last.
  virtual TurnResult RunTurn(
      const harmony::Conversation& conversation, const TurnOptions& options,
      const std::function<void(const harmony::ParserEvent&, const harmony::StreamParser&)>& on_event) = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  virtual const Model& model() const = 0;
  virtual Engine& engine() = 0;
  virtual BackendMemory memory() const = 0;
  // Gives back what only saves work: conversations that nobody generates in.
  virtual void DropCaches() = 0;
};

// What a finished turn leaves in the conversation: the parsed messages as history (finals end in <|end|>).
void AppendTurn(const TurnResult& result, harmony::Conversation& conversation);

// What a face puts into the system message when its user says nothing else. `date`: YYYY-MM-DD; none: today
// here.
harmony::SystemContent DefaultSystemContent(harmony::ReasoningEffort effort,
                                            std::optional<std::string> date = std::nullopt);

// The checkpoint linked into the program.
Result<Checkpoint> OpenDemoCheckpoint();

}  // namespace gptoss
