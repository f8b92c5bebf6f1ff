#include "cli/reporter.h"

#include <fmt/format.h>

#include "platform/system.h"

namespace gptoss::cli {

namespace {

constexpr std::string_view kThinking = "thinking…";
constexpr std::string_view kEraseLine = "\r\x1b[2K";

std::string_view RouteType(harmony::Route route) {
  switch (route) {
    case harmony::Route::kReasoning:
      return "reasoning";
    case harmony::Route::kPreamble:
      return "preamble";
    case harmony::Route::kAnswer:
    case harmony::Route::kUnchannelled:
      return "answer";
    case harmony::Route::kToolCall:
      return "tool_call";
  }
  return "answer";
}

bool IsAnswer(harmony::Route route) {
  return route == harmony::Route::kAnswer || route == harmony::Route::kUnchannelled;
}

// The call that this event completes. One that the end of the ids cut off is none: whoever runs tools must
// not see half of its arguments.
const harmony::ParsedMessage* FinishedCall(const harmony::ParserEvent& event,
                                           const harmony::StreamParser& parser) {
  if (event.kind != harmony::ParserEvent::Kind::kMessageEnd || event.route != harmony::Route::kToolCall ||
      event.message >= parser.messages().size())
    return nullptr;
  const harmony::ParsedMessage& message = parser.messages()[event.message];
  return message.stop == "eos" ? nullptr : &message;
}

// For the end of a turn whose call no event had shown as finished (<|endoftext|> behind it).
const harmony::ParsedMessage* LastCall(const TurnResult& result) {
  if (result.end != TurnEnd::kToolCall) return nullptr;
  for (auto it = result.messages.rbegin(); it != result.messages.rend(); ++it)
    if (it->route == harmony::Route::kToolCall) return &*it;
  return nullptr;
}

}  // namespace

Json ToolCallJson(const harmony::ParsedMessage& call) {
  std::string_view name = call.recipient ? std::string_view(*call.recipient) : std::string_view();
  constexpr std::string_view kPrefix = "functions.";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  auto arguments = ParseJson(call.content);
  return Json{{"name", std::string(name)}, {"arguments", arguments ? *arguments : Json(call.content)}};
}

double TokensPerSecond(const GenerationStats& stats) {
  // The first token comes out of the prefill; the others are what decoding took its time for.
  const double decoded = static_cast<double>(stats.generated_tokens - 1);
  return decoded > 0 && stats.decode_seconds > 0 ? decoded / stats.decode_seconds : 0.0;
}

std::string StatsLine(const GenerationStats& stats) {
  std::string line = fmt::format("{} prompt tokens", stats.prompt_tokens);
  if (stats.reused_tokens > 0) line += fmt::format(" ({} reused)", stats.reused_tokens);
  line += fmt::format(", first token after {:.2f} s, {} tokens at {:.1f} tokens/s, peak memory {:.0f} MB",
                      stats.first_token_seconds, stats.generated_tokens, TokensPerSecond(stats),
                      static_cast<double>(PeakResidentMemory()) / 1e6);
  return line;
}

void TextReporter::Begin(LoadedModel& /*model*/, bool /*demo*/) {
  newlines_held_ = 0;
  answered_ = called_ = aside_open_ = false;
  ShowThinking();
}

void TextReporter::ShowThinking() {
  if (!err_.styled() || options_.show_reasoning || options_.quiet) return;
  err_.Write(Dimmed(kThinking, err_));
  thinking_ = true;
}

void TextReporter::HideThinking() {
  if (thinking_) err_.Write(kEraseLine);
  thinking_ = false;
}

void TextReporter::Answer(std::string_view text) {
  const std::string clean = out_.is_terminal() ? WithoutControls(text) : std::string(text);
  const std::size_t last = clean.find_last_not_of('\n');
  if (last == std::string::npos) {
    if (answered_) newlines_held_ += clean.size();  // newlines before the first text are dropped
    return;
  }
  HideThinking();
  EndAside();
  std::string ready(newlines_held_, '\n');
  ready.append(clean, answered_ ? 0 : clean.find_first_not_of('\n'), std::string::npos);
  newlines_held_ = clean.size() - last - 1;
  ready.resize(ready.size() - newlines_held_);
  answered_ = true;
  out_.Write(ready);
}

void TextReporter::Aside(std::string_view text, bool dim) {
  const std::string clean = err_.is_terminal() ? WithoutControls(text) : std::string(text);
  if (clean.empty()) return;
  HideThinking();
  err_.Write(dim ? Dimmed(clean, err_) : clean);
  aside_open_ = clean.back() != '\n';
}

void TextReporter::EndAside() {
  if (aside_open_) err_.Write("\n");
  aside_open_ = false;
}

void TextReporter::Event(const harmony::ParserEvent& event, const harmony::StreamParser& parser) {
  using Kind = harmony::ParserEvent::Kind;
  if (event.kind == Kind::kTextDelta) {
    if (IsAnswer(event.route)) Answer(event.text);
    if (event.route == harmony::Route::kPreamble && !options_.quiet) Aside(event.text, false);
    if (event.route == harmony::Route::kReasoning && options_.show_reasoning) Aside(event.text, true);
  } else if (event.kind == Kind::kMessageStart && IsAnswer(event.route) && answered_) {
    newlines_held_ = 2;  // a second final message: set apart
  } else if (event.kind == Kind::kMessageEnd) {
    EndAside();
    if (const auto* call = FinishedCall(event, parser)) Call(*call);
  }
}

void TextReporter::Call(const harmony::ParsedMessage& call) {
  HideThinking();
  if (answered_) out_.Write("\n");
  answered_ = false;
  newlines_held_ = 0;
  called_ = true;
  out_.Write(DumpJson(Json{{"tool_call", ToolCallJson(call)}}) + "\n");
}

void TextReporter::End(const TurnResult& result) {
  HideThinking();
  EndAside();
  // Whatever route it came by: an answer that the result holds reaches the reader.
  if (!answered_ && !called_ && !result.answer.empty()) Answer(result.answer);
  if (const auto* call = LastCall(result); call != nullptr && !called_) Call(*call);
  if (answered_) out_.Write("\n");
  if (result.end == TurnEnd::kAnswer || result.end == TurnEnd::kToolCall) {
    if (result.retried && !options_.quiet)
      Remark("the model stopped without an answer and was asked once more.");
  } else if (result.end == TurnEnd::kCancelled) {
    if (!answered_ && err_.is_terminal()) err_.Write("\n");
  } else if (!result.explanation.empty()) {
    Complain(result.explanation);
  }
  if (options_.stats && !options_.quiet) err_.Write(Dimmed(StatsLine(result.stats), err_) + "\n");
}

void JsonReporter::Begin(LoadedModel& model, bool demo) {
  answered_ = called_ = false;
  out_.Write(DumpJson(Json{{"type", "start"},
                           {"model", model.model().name},
                           {"demo", demo},
                           {"context_tokens", model.engine().context_tokens()},
                           {"backend", model.engine().backend_description()}}) +
             "\n");
}

void JsonReporter::Event(const harmony::ParserEvent& event, const harmony::StreamParser& parser) {
  using Kind = harmony::ParserEvent::Kind;
  if (event.kind == Kind::kTextDelta && event.route != harmony::Route::kToolCall && !event.text.empty()) {
    answered_ = answered_ || IsAnswer(event.route);
    out_.Write(DumpJson(Json{{"type", std::string(RouteType(event.route))}, {"delta", event.text}}) + "\n");
  }
  if (const auto* call = FinishedCall(event, parser)) Call(*call);
}

void JsonReporter::Call(const harmony::ParsedMessage& call) {
  called_ = true;
  Json line{{"type", "tool_call"}};
  line.update(ToolCallJson(call));
  out_.Write(DumpJson(line) + "\n");
}

void JsonReporter::End(const TurnResult& result) {
  if (!answered_ && !result.answer.empty())
    out_.Write(DumpJson(Json{{"type", "answer"}, {"delta", result.answer}}) + "\n");
  if (const auto* call = LastCall(result); call != nullptr && !called_) Call(*call);
  const bool failed =
      result.end == TurnEnd::kError || result.end == TurnEnd::kNoAnswer ||
      ((result.end == TurnEnd::kContextLimit || result.end == TurnEnd::kMaxTokens) && result.answer.empty());
  if (failed) {
    out_.Write(DumpJson(Json{{"type", "error"}, {"message", result.explanation}}) + "\n");
    Complain(result.explanation);
  }
  const GenerationStats& stats = result.stats;
  Json line{{"type", "end"}, {"reason", std::string(TurnEndName(result.end))}};
  if (!result.explanation.empty()) line["explanation"] = result.explanation;
  line["retried"] = result.retried;
  line["flags"] = result.flags;
  line["usage"] = Json{{"prompt_tokens", stats.prompt_tokens},
                       {"reused_tokens", stats.reused_tokens},
                       {"generated_tokens", stats.generated_tokens},
                       {"first_token_seconds", stats.first_token_seconds},
                       {"tokens_per_second", TokensPerSecond(stats)},
                       {"peak_memory_bytes", PeakResidentMemory()},
                       {"seed", stats.seed}};
  out_.Write(DumpJson(line) + "\n");
}

}  // namespace gptoss::cli
