#include "provider/turn.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "harmony/render.h"
#include "harmony/sampled_ids.h"
#include "provider/continuation.h"

namespace gptoss {
namespace {

using harmony::ParsedMessage;
using harmony::ParserEvent;
using harmony::Route;
using harmony::StreamParser;

// A turn of more messages than this is a loop: real turns have three or four.
constexpr std::size_t kMaxTurnMessages = 64;

std::string TextOf(const std::vector<ParsedMessage>& messages, Route route) {
  std::string text;
  for (const ParsedMessage& message : messages) {
    if (message.route == route) text += message.content;
  }
  return text;
}

// The model wrote a message of the user or of a tool: its turn is over, and the parser reads no further.
bool SpeaksForOthers(const StreamParser& parser) {
  if (!parser.repaired()) return false;
  const auto& flags = parser.flags();
  return std::find(flags.begin(), flags.end(), "foreign_role") != flags.end();
}

// One generation, read to its end.
struct Try {
  explicit Try(StreamParser the_parser) : parser(std::move(the_parser)) {}
  StreamParser parser;
  std::vector<TokenId> header;  // how the prompt began the first message
  std::vector<TokenId> generated;
  GenerationStats stats;
  std::optional<std::size_t> cut;  // index of the message that was open when the ids ended
  bool looped = false;
  bool ended = false;  // by itself: a stop id, or it began to speak for somebody else
};

class Turn {
 public:
  Turn(Engine& engine, const Tokenizer& tokenizer, const std::vector<TokenId>& stop_ids,
       const TurnOptions& options, const TurnEvents& on_event)
      : engine_(engine), tokenizer_(tokenizer), stop_ids_(stop_ids), options_(options), on_event_(on_event) {}

  TurnResult Run(const harmony::Conversation& conversation) {
    auto rendered = harmony::Render(
        conversation, tokenizer_,
        {.mode = harmony::RenderMode::kCompletion, .drop = harmony::AnalysisDrop::kStablePrefix});
    if (!rendered) {
      result_.stats.error = rendered.error();
      Ended(TurnEnd::kError, rendered.error().message);
      return std::move(result_);
    }
    harmony::ParserOptions parser_options;
    auto first = Attempt(rendered->ids, parser_options, options_.sampling);
    if (!first) {
      Refused(first.error());
      return std::move(result_);
    }
    Collect(*first);
    if (!Judge(*first)) Continue(rendered->ids, std::move(parser_options), *first);
    Tell(first->parser);
    return std::move(result_);
  }

 private:
  Result<Try> Attempt(std::vector<TokenId> prompt, const harmony::ParserOptions& parser_options,
                      const SamplingOptions& sampling);
  void Pass(std::vector<ParserEvent>& events, const StreamParser& parser);
  void Collect(const Try& attempt);
  bool Judge(const Try& attempt);
  void JudgeCutOff(const Try& attempt, bool answered);
  void Continue(const std::vector<TokenId>& prompt, harmony::ParserOptions parser_options, const Try& first);
  // The end of the turn, once, after whatever tries there were.
  void Tell(const StreamParser& parser) {
    ParserEvent event{};
    event.kind = ParserEvent::Kind::kTurnEnd;
    if (on_event_) on_event_(event, parser);
  }
  void Ended(TurnEnd end, std::string explanation) {
    result_.end = end;
    result_.explanation = std::move(explanation);
  }
  // The engine did not take the request.
  void Refused(const Error& error) {
    result_.stats.error = error;
    result_.stats.stop =
        error.code == ErrorCode::kOutOfRange ? StopReason::kContextLimit : StopReason::kError;
    Ended(error.code == ErrorCode::kOutOfRange ? TurnEnd::kContextLimit : TurnEnd::kError, error.message);
  }
  std::int64_t TokensLeft() const { return options_.max_tokens - result_.stats.generated_tokens; }

  Engine& engine_;
  const Tokenizer& tokenizer_;
  const std::vector<TokenId>& stop_ids_;
  const TurnOptions& options_;
  const TurnEvents& on_event_;
  TurnResult result_;
};

void Turn::Pass(std::vector<ParserEvent>& events, const StreamParser& parser) {
  for (const ParserEvent& event : events) {
    if (event.kind != ParserEvent::Kind::kTurnEnd && on_event_) on_event_(event, parser);
  }
  events.clear();
}

Result<Try> Turn::Attempt(std::vector<TokenId> prompt, const harmony::ParserOptions& parser_options,
                          const SamplingOptions& sampling) {
  GenerationRequest request;
  request.conversation = options_.conversation_key;
  const auto start = std::find(prompt.rbegin(), prompt.rend(), tokenizer_.special().start);
  std::vector<TokenId> header(start == prompt.rend() ? prompt.begin() : start.base() - 1, prompt.end());
  request.prompt = std::move(prompt);
  request.sampling = sampling;
  request.stop_ids = stop_ids_;
  request.max_tokens = options_.max_tokens == 0 ? 0 : TokensLeft();
  request.cancel = options_.cancel;
  GPTOSS_TRY(const std::unique_ptr<TokenStream> stream, engine_.Submit(std::move(request)));
  Try attempt(StreamParser(tokenizer_, parser_options));
  attempt.header = std::move(header);
  std::vector<ParserEvent> events;
  bool reading = true;
  while (const auto id = stream->Next()) {
    if (!reading) continue;  // cancelled below: what was still under way
    attempt.generated.push_back(*id);
    attempt.parser.Push(*id, events);
    Pass(events, attempt.parser);
    attempt.looped = attempt.parser.messages().size() > kMaxTurnMessages;
    attempt.ended = attempt.parser.turn_ended() || SpeaksForOthers(attempt.parser);
    if (attempt.looped || attempt.ended) {
      reading = false;
      stream->Cancel();
    }
  }
  attempt.stats = stream->stats();
  attempt.ended = attempt.ended || attempt.stats.stop == StopReason::kStopToken;
  attempt.parser.Finish(events);
  for (const ParserEvent& event : events) {
    if (event.kind == ParserEvent::Kind::kMessageEnd) attempt.cut = event.message;
  }
  Pass(events, attempt.parser);
  return attempt;
}

void Turn::Collect(const Try& attempt) {
  const auto& messages = attempt.parser.messages();
  result_.messages.insert(result_.messages.end(), messages.begin(), messages.end());
  for (auto& ids :
       harmony::CutIntoMessages(attempt.header, attempt.generated, messages.size(), tokenizer_.special())) {
    result_.message_ids.push_back(std::move(ids));
  }
  for (const std::string& flag : attempt.parser.flags()) {
    if (std::find(result_.flags.begin(), result_.flags.end(), flag) == result_.flags.end()) {
      result_.flags.push_back(flag);
    }
  }
  std::sort(result_.flags.begin(), result_.flags.end());
  result_.generated.insert(result_.generated.end(), attempt.generated.begin(), attempt.generated.end());
  GenerationStats& stats = result_.stats;
  if (!result_.retried) {
    stats = attempt.stats;
  } else {  // prompt, reuse, latency and seed stay those of the first try
    stats.generated_tokens += attempt.stats.generated_tokens;
    stats.prefill_seconds += attempt.stats.prefill_seconds;
    stats.decode_seconds += attempt.stats.decode_seconds;
    stats.stop = attempt.stats.stop;
    stats.error = attempt.stats.error;
  }
  result_.answer = TextOf(result_.messages, Route::kAnswer);
  if (IsBlank(result_.answer)) result_.answer = TextOf(result_.messages, Route::kUnchannelled);
  if (IsBlank(result_.answer)) result_.answer.clear();
}

// How the turn ended; false when nothing came of it and the model should be asked to go on.
bool Turn::Judge(const Try& attempt) {
  const auto& messages = attempt.parser.messages();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].route == Route::kToolCall && attempt.cut != i) {
      result_.end = TurnEnd::kToolCall;
      return true;
    }
  }
  const bool answered = !result_.answer.empty();
  if (attempt.ended || attempt.looped) {
    if (answered) result_.end = TurnEnd::kAnswer;
    return answered;
  }
  JudgeCutOff(attempt, answered);
  return true;
}

void Turn::JudgeCutOff(const Try& attempt, bool answered) {
  switch (attempt.stats.stop) {
    case StopReason::kCancelled:
      Ended(TurnEnd::kCancelled, "the turn was cancelled");
      return;
    case StopReason::kError:
      result_.end = TurnEnd::kError;
      result_.explanation = attempt.stats.error ? attempt.stats.error->message : "the generation failed";
      return;
    default:
      break;
  }
  const bool context = attempt.stats.stop == StopReason::kContextLimit;
  const auto& messages = attempt.parser.messages();
  const bool open_answer = attempt.cut && messages[*attempt.cut].route != Route::kReasoning;
  if (answered && !open_answer) {  // a final message was complete before the limit
    result_.end = TurnEnd::kAnswer;
    return;
  }
  const bool open_call = attempt.cut && messages[*attempt.cut].route == Route::kToolCall;
  const std::string_view what = open_call  ? "was reached inside a tool call"
                                : answered ? "cut the answer off"
                                           : "was used up by the reasoning";
  result_.end = context ? TurnEnd::kContextLimit : TurnEnd::kMaxTokens;
  result_.explanation =
      context
          ? fmt::format("the context of {} tokens {}; start a new conversation or choose a larger context",
                        engine_.context_tokens(), what)
          : fmt::format("the limit of {} tokens {}; raise --max-tokens{}", options_.max_tokens, what,
                        answered ? "" : " or lower the effort");
}

void Turn::Continue(const std::vector<TokenId>& prompt, harmony::ParserOptions parser_options,
                    const Try& first) {
  if (options_.max_tokens > 0 && TokensLeft() <= 0) {
    result_.end = TurnEnd::kMaxTokens;
    result_.explanation = fmt::format(
        "the limit of {} tokens was used up by the reasoning; raise --max-tokens or lower the effort",
        options_.max_tokens);
    return;
  }
  parser_options.starts_in_content = true;
  parser_options.channel = "final";
  SamplingOptions sampling = options_.sampling;
  sampling.seed = result_.stats.seed + 1;  // other draws, and still repeatable
  auto second =
      Attempt(ContinueInFinal(prompt, first.generated, first.parser, tokenizer_), parser_options, sampling);
  result_.retried = true;
  if (!second) return Refused(second.error());
  Collect(*second);
  if (Judge(*second)) return;
  const bool preamble = !IsBlank(TextOf(result_.messages, Route::kPreamble));
  result_.end = TurnEnd::kNoAnswer;
  result_.explanation = fmt::format(
      "the model {} and ended its turn without an answer, also when asked to go on; ask again or put the "
      "question differently",
      first.looped ? "repeated itself"
      : preamble   ? "announced what it would do"
                   : "reasoned");
}

}  // namespace

TurnResult RunTurnOn(Engine& engine, const Tokenizer& tokenizer, const std::vector<TokenId>& stop_ids,
                     const harmony::Conversation& conversation, const TurnOptions& options,
                     const TurnEvents& on_event) {
  return Turn(engine, tokenizer, stop_ids, options, on_event).Run(conversation);
}

}  // namespace gptoss
