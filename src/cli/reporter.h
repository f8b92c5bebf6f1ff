// A turn as its reader sees it while it runs: text for people or JSON lines for programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/terminal.h"
#include "provider/agent_provider.h"

namespace gptoss::cli {

// Begin and End on the main thread, Chunk… between them on the provider's, while the main thread waits.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void Begin(const ModelFacts& model, bool demo) = 0;
  virtual void Chunk(const StreamChunk& chunk) = 0;
  virtual void End(const StreamDone& done) = 0;
};

struct TextReporterOptions {
  bool show_reasoning = false;
  bool stats = false;
  bool quiet = false;
};

// The answer on `out`, ended by exactly one newline; a tool call as one line {"tool_call":{…}} on `out`;
// preambles, reasoning, remarks and numbers on `err`. Text of the model loses its control characters on a
// terminal.
class TextReporter : public Reporter {
 public:
  TextReporter(Output& out, Output& err, TextReporterOptions options)
      : out_(out), err_(err), options_(options) {}
  void set_options(TextReporterOptions options) { options_ = options; }
  const TextReporterOptions& options() const { return options_; }

  void Begin(const ModelFacts& model, bool demo) override;
  void Chunk(const StreamChunk& chunk) override;
  void End(const StreamDone& done) override;

 private:
  void Answer(std::string_view text);
  void Call(const ToolCall& call);
  void Aside(std::string_view text, bool dim);
  void EndAside();
  void ShowThinking();
  void HideThinking();

  Output& out_;
  Output& err_;
  TextReporterOptions options_;
  std::size_t newlines_held_ = 0;  // trailing newlines wait: the end of the answer drops them
  bool answered_ = false;
  std::int32_t message_ = -1;  // that the last chunk belonged to
  bool aside_open_ = false;    // text on err that has no newline yet
  bool thinking_ = false;
};

// One JSON object per line on `out`; docs/cli.md lists them.
class JsonReporter : public Reporter {
 public:
  explicit JsonReporter(Output& out) : out_(out) {}
  void Begin(const ModelFacts& model, bool demo) override;
  void Chunk(const StreamChunk& chunk) override;
  void End(const StreamDone& done) override;

 private:
  Output& out_;
  bool answered_ = false;
};

// {"name", "arguments"}: the arguments as JSON if they are, else the text itself.
Json ToolCallJson(const ToolCall& call);
// "124 prompt tokens (100 reused), first token after 0.05 s, 80 tokens at 210.0 tokens/s, peak memory 45 MB"
std::string StatsLine(const StreamUsage& usage);
// An answer, a call, or at least the beginning of an answer.
bool HasAnswer(const StreamDone& done);

}  // namespace gptoss::cli
