#include "cli/reporter.h"

#include <fmt/format.h>

#include "platform/system.h"

namespace gptoss::cli {

namespace {

constexpr std::string_view kThinking = "thinking…";

std::string_view ChunkType(StreamChunk::Channel channel) {
  switch (channel) {
    case StreamChunk::Channel::kAnalysis:
      return "reasoning";
    case StreamChunk::Channel::kCommentary:
      return "preamble";
    case StreamChunk::Channel::kFinal:
      return "answer";
    case StreamChunk::Channel::kToolCall:
      return "tool_call";
  }
  return "answer";
}

}  // namespace

Json ToolCallJson(const ToolCall& call) {
  auto arguments = ParseJson(call.arguments);
  return Json{{"name", call.name}, {"arguments", arguments ? *arguments : Json(call.arguments)}};
}

std::string StatsLine(const StreamUsage& usage) {
  std::string line = fmt::format("{} prompt tokens", usage.prompt_tokens);
  if (usage.cached_tokens > 0) line += fmt::format(" ({} reused)", usage.cached_tokens);
  line += fmt::format(", first token after {:.2f} s, {} tokens at {:.1f} tokens/s, peak memory {:.0f} MB",
                      usage.first_token_ms / 1000, usage.generated_tokens, usage.tokens_per_second,
                      static_cast<double>(PeakResidentMemory()) / 1e6);
  return line;
}

bool HasAnswer(const StreamDone& done) {
  return done.end == TurnEnd::kToolCall || done.answer.find_first_not_of(" \t\r\n") != std::string::npos;
}

void TextReporter::Begin(const ModelFacts& /*model*/, bool /*demo*/) {
  newlines_held_ = 0;
  answered_ = aside_open_ = false;
  message_ = -1;
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

void TextReporter::Chunk(const StreamChunk& chunk) {
  if (chunk.message_id != message_) {
    EndAside();
    // A second final message is set apart.
    if (chunk.channel == StreamChunk::Channel::kFinal && answered_) newlines_held_ = 2;
    message_ = chunk.message_id;
  }
  switch (chunk.channel) {
    case StreamChunk::Channel::kFinal:
      return Answer(chunk.text);
    case StreamChunk::Channel::kCommentary:
      if (!options_.quiet) Aside(chunk.text, false);
      return;
    case StreamChunk::Channel::kAnalysis:
      if (options_.show_reasoning) Aside(chunk.text, true);
      return;
    case StreamChunk::Channel::kToolCall:
      return;  // told whole, at the end
  }
}

void TextReporter::Call(const ToolCall& call) {
  if (answered_) out_.Write("\n");
  answered_ = false;
  newlines_held_ = 0;
  out_.Write(DumpJson(Json{{"tool_call", ToolCallJson(call)}}) + "\n");
}

void TextReporter::End(const StreamDone& done) {
  HideThinking();
  EndAside();
  // Whatever way it came: an answer that the end holds reaches the reader.
  if (!answered_ && !done.answer.empty()) Answer(done.answer);
  for (const ToolCall& call : done.tool_calls) Call(call);
  if (answered_) out_.Write("\n");
  if (done.end == TurnEnd::kAnswer || done.end == TurnEnd::kToolCall) {
    if (done.retried && !options_.quiet)
      Remark("the model stopped without an answer and was asked once more.");
  } else if (done.end == TurnEnd::kCancelled) {
    if (!answered_ && err_.is_terminal()) err_.Write("\n");
  } else if (!done.explanation.empty()) {
    Complain(done.explanation);
  }
  if (options_.stats && !options_.quiet) err_.Write(Dimmed(StatsLine(done.usage), err_) + "\n");
}

void JsonReporter::Begin(const ModelFacts& model, bool demo) {
  answered_ = false;
  out_.Write(DumpJson(Json{{"type", "start"},
                           {"model", model.name},
                           {"demo", demo},
                           {"context_tokens", model.context_tokens},
                           {"backend", model.backend}}) +
             "\n");
}

void JsonReporter::Chunk(const StreamChunk& chunk) {
  if (chunk.channel == StreamChunk::Channel::kToolCall) return;  // told whole, at the end
  answered_ = answered_ || chunk.channel == StreamChunk::Channel::kFinal;
  out_.Write(DumpJson(Json{{"type", std::string(ChunkType(chunk.channel))}, {"delta", chunk.text}}) + "\n");
}

void JsonReporter::End(const StreamDone& done) {
  if (!answered_ && !done.answer.empty())
    out_.Write(DumpJson(Json{{"type", "answer"}, {"delta", done.answer}}) + "\n");
  for (const ToolCall& call : done.tool_calls) {
    Json line{{"type", "tool_call"}};
    line.update(ToolCallJson(call));
    out_.Write(DumpJson(line) + "\n");
  }
  const bool failed =
      done.end == TurnEnd::kError || done.end == TurnEnd::kNoAnswer ||
      ((done.end == TurnEnd::kContextLimit || done.end == TurnEnd::kMaxTokens) && !HasAnswer(done));
  if (failed) {
    out_.Write(DumpJson(Json{{"type", "error"}, {"message", done.explanation}}) + "\n");
    Complain(done.explanation);
  }
  const StreamUsage& usage = done.usage;
  Json line{{"type", "end"}, {"reason", std::string(TurnEndName(done.end))}};
  if (!done.explanation.empty()) line["explanation"] = done.explanation;
  line["retried"] = done.retried;
  line["flags"] = done.repairs;
  line["usage"] = Json{{"prompt_tokens", usage.prompt_tokens},
                       {"reused_tokens", usage.cached_tokens},
                       {"generated_tokens", usage.generated_tokens},
                       {"first_token_seconds", usage.first_token_ms / 1000},
                       {"tokens_per_second", usage.tokens_per_second},
                       {"peak_memory_bytes", PeakResidentMemory()},
                       {"seed", usage.seed}};
  out_.Write(DumpJson(line) + "\n");
}

}  // namespace gptoss::cli
