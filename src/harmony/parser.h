// Token ids of a completion -> messages and events. Driven by ids, never by text that looks like a control
// token. Cannot fail: what is malformed is repaired and flagged (policy: docs/harmony.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "harmony/conversation.h"
#include "tokenizer/tokenizer.h"

namespace gptoss::harmony {

enum class Route : std::uint8_t { kReasoning, kPreamble, kAnswer, kToolCall, kUnchannelled };

// What happened with one token. Text is whole UTF-8.
struct ParserEvent {
  enum class Kind : std::uint8_t {
    kMessageStart,  // header complete: route, channel, recipient, content_type are known
    kTextDelta,     // `text` of the running message (for a tool call: of its arguments)
    kMessageEnd,    // `message` index into messages(); how it ended in its `stop`
    kTurnEnd,       // <|return|>, <|call|> or <|endoftext|>: nothing more is read
  };
  Kind kind;
  Route route = Route::kUnchannelled;
  std::size_t message = 0;
  std::string text;
};

struct ParsedMessage {
  std::string role = "assistant";
  std::optional<std::string> name;  // of a tool, or "bob" of "assistant:bob"
  std::optional<std::string> channel, recipient, content_type;
  std::string content;
  std::string stop;  // "return", "call", "end", "eos", or what the policy names; as in the golden files
  Route route = Route::kUnchannelled;
};

struct ParserOptions {
  std::string role = "assistant";            // preset role: generation starts inside this header
  bool starts_in_content = false;            // the prompt already held a header up to <|message|>
  std::string channel;                       // with starts_in_content
  std::size_t max_message_bytes = 16 << 20;  // content beyond is dropped and flagged
  std::size_t max_messages = 1024;           // messages beyond are dropped and flagged
};

// Not thread-safe. Memory is bounded by the options on any sequence of ids, known or not.
class StreamParser {
 public:
  StreamParser(const Tokenizer& tokenizer, ParserOptions options = {});
  ~StreamParser();
  StreamParser(StreamParser&&) noexcept;
  StreamParser& operator=(StreamParser&&) noexcept;

  // Appends what this token caused to `events`.
  void Push(TokenId id, std::vector<ParserEvent>& events);
  // No more tokens (limit, cancel): closes what is open.
  void Finish(std::vector<ParserEvent>& events);

  bool turn_ended() const;
  const std::vector<ParsedMessage>& messages() const;
  const std::vector<std::string>& flags() const;  // repairs, sorted by name as in the golden files
  bool repaired() const { return !flags().empty(); }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The object the golden files call `policy`: {"messages":[…],"flags":[…]}.
Json PolicyJson(const StreamParser& parser);

}  // namespace gptoss::harmony
