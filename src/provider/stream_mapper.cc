#include "provider/stream_mapper.h"

#include <array>
#include <cstddef>
#include <optional>

namespace gptoss {
namespace {

using harmony::ParserEvent;
using harmony::Route;

std::optional<StreamChunk::Channel> ChannelOf(Route route) {
  switch (route) {
    case Route::kReasoning:
      return StreamChunk::Channel::kAnalysis;
    case Route::kPreamble:
      return StreamChunk::Channel::kCommentary;
    case Route::kAnswer:
      return StreamChunk::Channel::kFinal;
    case Route::kToolCall:
      return StreamChunk::Channel::kToolCall;
    case Route::kUnchannelled:
      return std::nullopt;  // nobody knows yet whether this is the answer
  }
  return std::nullopt;
}

constexpr std::string_view kFunctions = "functions.";

}  // namespace

std::string_view ChannelName(StreamChunk::Channel channel) {
  constexpr std::array<std::string_view, 4> kNames = {"analysis", "commentary", "final", "tool_call"};
  return kNames[static_cast<std::size_t>(channel)];
}

void StreamMapper::Show(StreamChunk::Channel channel, std::string text, std::string recipient) {
  if (text.empty()) return;
  if (channel == StreamChunk::Channel::kFinal) answer_ += text;
  if (failed_ || !on_chunk_) return;
  try {
    on_chunk_({.channel = channel,
               .message_id = message_,
               .text = std::move(text),
               .recipient = std::move(recipient)});
  } catch (...) {
    failed_ = true;
    stop_.Cancel();
  }
}

void StreamMapper::Event(const ParserEvent& event, const harmony::StreamParser& parser) {
  if (event.kind == ParserEvent::Kind::kMessageStart) ++message_;
  if (event.kind == ParserEvent::Kind::kMessageEnd && answer_open_) {
    answer_open_ = false;
    Show(StreamChunk::Channel::kFinal, stops_.Finish());
  }
  if (event.kind != ParserEvent::Kind::kTextDelta || stops_.found()) return;
  if (message_ < 0) message_ = 0;
  const auto channel = ChannelOf(event.route);
  if (!channel) return;
  if (*channel == StreamChunk::Channel::kFinal) {
    answer_open_ = true;
    Show(*channel, stops_.Push(event.text));
    if (stops_.found()) stop_.Cancel();
    return;
  }
  std::string recipient;
  if (*channel == StreamChunk::Channel::kToolCall && event.message < parser.messages().size()) {
    recipient = parser.messages()[event.message].recipient.value_or("");
  }
  Show(*channel, event.text, std::move(recipient));
}

StreamDone StreamMapper::Finish(TurnResult& result) {
  if (answer_open_) Show(StreamChunk::Channel::kFinal, stops_.Finish());
  // Text without a channel, which turned out to be all the answer there is.
  if (answer_.empty() && !result.answer.empty() && !stops_.found()) {
    ++message_;
    Show(StreamChunk::Channel::kFinal, stops_.Push(result.answer) + stops_.Finish());
  }
  StreamDone done;
  if (stops_.found()) {
    result.end = TurnEnd::kAnswer;
    result.explanation.clear();
    // The history keeps what the reader got.
    std::string rest = answer_;
    for (std::size_t i = 0; i < result.messages.size(); ++i) {
      if (result.messages[i].route != Route::kAnswer) continue;
      result.messages[i].content = std::exchange(rest, {});
      if (i < result.message_ids.size()) result.message_ids[i].clear();
    }
  }
  done.end = result.end;
  done.stop_reason = stops_.found() ? "stop_string" : std::string(TurnEndName(result.end));
  done.answer = answer_;
  done.explanation = result.explanation;
  if (result.end == TurnEnd::kToolCall) {
    for (const harmony::ParsedMessage& message : result.messages) {
      if (message.route != Route::kToolCall) continue;
      std::string name = message.recipient.value_or("");
      if (name.starts_with(kFunctions)) name.erase(0, kFunctions.size());
      done.tool_calls.push_back({.name = std::move(name), .arguments = message.content});
    }
  }
  if (result.end == TurnEnd::kError) {
    done.error = result.stats.error.value_or(Error{ErrorCode::kInternal, result.explanation});
  }
  done.repaired = !result.flags.empty();
  done.repairs = result.flags;
  done.retried = result.retried;
  done.generated = result.generated;
  const GenerationStats& stats = result.stats;
  done.usage = {
      .prompt_tokens = stats.prompt_tokens,
      .cached_tokens = stats.reused_tokens,
      .generated_tokens = stats.generated_tokens,
      .first_token_ms = 1000 * stats.first_token_seconds,
      .tokens_per_second = stats.decode_seconds > 0 && stats.generated_tokens > 1
                               ? static_cast<double>(stats.generated_tokens - 1) / stats.decode_seconds
                               : 0,
      .seed = stats.seed};
  return done;
}

}  // namespace gptoss
