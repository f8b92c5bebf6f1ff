#include "harmony/parser.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "harmony/header.h"

namespace gptoss::harmony {
namespace {

// Longer headers are nobody's: what follows is dropped until a control token.
constexpr std::size_t kMaxHeaderBytes = 64 << 10;
constexpr std::size_t kMaxHeaderParts = 64;

Route RouteOf(const ParsedMessage& m) {
  if (m.recipient && *m.recipient != "assistant") return Route::kToolCall;
  if (m.channel == "final") return Route::kAnswer;
  if (m.channel == "analysis") return Route::kReasoning;
  if (m.channel == "commentary") return Route::kPreamble;
  return Route::kUnchannelled;
}

}  // namespace

struct StreamParser::State {
  enum class Where { kBetween, kHeader, kContent, kAfterReturn, kOver };

  State(const Tokenizer& t, ParserOptions o)
      : tokenizer(t), options(std::move(o)), special(t.special()), detokenizer(t) {
    if (options.starts_in_content) {
      Begin({.role = options.role,
             .name = {},
             .channel = options.channel.empty() ? std::nullopt : std::optional(options.channel),
             .recipient = {},
             .content_type = {},
             .leftover = {}},
            nullptr);
      where = Where::kContent;
    } else if (!options.role.empty()) {
      BeginHeader(options.role);
    }
  }

  // ---- tokens ----
  void Push(TokenId id, std::vector<ParserEvent>& events) {
    out = &events;
    TellHeldStart(events);
    if (where == Where::kOver) {
      if (!discarding) flags.insert("after_endoftext");
    } else if (IsTerminator(id)) {
      Terminate(id);
    } else if (where == Where::kAfterReturn) {
      flags.insert("after_return");
    } else if (id >= 0 && id == special.start) {
      Start();
    } else if (id >= 0 && id == special.channel) {
      Channel();
    } else if (id >= 0 && id == special.message) {
      Message();
    } else if (id >= 0 && id == special.constrain) {
      Constrain();
    } else if (!tokenizer.IsKnown(id)) {
      flags.insert("unknown_token");
    } else if (tokenizer.IsSpecial(id)) {
      flags.insert(where == Where::kContent ? "special_in_content" : "special_in_header");
    } else {
      Text(id);
    }
    out = nullptr;
  }

  void Finish(std::vector<ParserEvent>& events) {
    out = &events;
    TellHeldStart(events);
    if (where == Where::kContent) {
      End("eos");
    } else if (where == Where::kHeader && !header.Empty()) {
      HeaderOnly("eos");
    } else if (where == Where::kBetween) {
      Stray();
    }
    where = Where::kOver;
    discarding = true;
    out = nullptr;
  }

  // starts_in_content: the start is told with the first token.
  void TellHeldStart(std::vector<ParserEvent>& events) {
    if (!held_start) return;
    events.push_back(*held_start);
    held_start.reset();
  }

  bool IsTerminator(TokenId id) const {
    return id >= 0 &&
           (id == special.end || id == special.return_ || id == special.call || id == special.end_of_text);
  }

  void Terminate(TokenId id) {
    const char* name = id == special.end       ? "end"
                       : id == special.return_ ? "return"
                       : id == special.call    ? "call"
                                               : "endoftext";
    if (id == special.end_of_text) flags.insert("endoftext");
    switch (where) {
      case Where::kContent:
        End(name);
        break;
      case Where::kHeader:
        if (header.Empty()) {
          if (id != special.end_of_text) flags.insert("stray_stop");
        } else {
          HeaderOnly(name);
        }
        break;
      case Where::kBetween:
        if (stray.empty() || IsBlank(stray)) {
          if (id != special.end_of_text) flags.insert("stray_stop");
          stray.clear();
        } else {
          Stray();
        }
        break;
      default:
        if (id != special.end_of_text) flags.insert("stray_stop");
        break;
    }
    if (where == Where::kOver) return;  // the message's role ended it all
    if (where != Where::kAfterReturn) where = Where::kBetween;
    if (id == special.return_) where = Where::kAfterReturn;
    if (id == special.end_of_text) where = Where::kOver;
    if (id != special.end && !turn_ended) {
      turn_ended = true;
      Emit({.kind = ParserEvent::Kind::kTurnEnd,
            .route = Route::kUnchannelled,
            .message = messages.size(),
            .text = {}});
    }
  }

  void Start() {
    switch (where) {
      case Where::kContent:
        flags.insert("missing_end");
        End("implicit");
        break;
      case Where::kHeader:
        if (header.Empty()) {
          flags.insert("double_start");
        } else {
          HeaderOnly("start");
        }
        break;
      default:
        Stray();
        break;
    }
    if (where != Where::kOver) BeginHeader("");
  }

  void Channel() {
    if (where == Where::kContent) {
      const std::string role = messages.empty() ? "assistant" : messages.back().role;
      flags.insert("missing_end");
      End("implicit");
      if (where == Where::kOver) return;
      BeginHeader(role);
    } else if (where == Where::kBetween) {
      flags.insert("missing_start");
      BeginHeader(stray.empty() || IsBlank(stray) ? "assistant" : "");
      header.parts[0].text = std::exchange(stray, {});
    }
    AddPart(HeaderParts::Part::Kind::kChannel);
  }

  void Message() {
    if (where == Where::kContent) {
      flags.insert("special_in_content");
      return;
    }
    if (where == Where::kBetween) {
      flags.insert("missing_start");
      BeginHeader(stray.empty() || IsBlank(stray) ? "assistant" : "");
      header.parts[0].text = std::exchange(stray, {});
    }
    Header parsed = ParseHeader(header, header_role, true, flags);
    Begin(std::move(parsed), out);
  }

  void Constrain() {
    if (where == Where::kContent) {
      flags.insert("special_in_content");
    } else if (where == Where::kBetween) {
      flags.insert("special_in_header");
    } else {
      AddPart(HeaderParts::Part::Kind::kConstrain);
    }
  }

  void Text(TokenId id) {
    if (where == Where::kContent) {
      Deliver(detokenizer.Push(id));
      return;
    }
    std::string& text = where == Where::kHeader ? header.parts.back().text : stray;
    header_bytes += tokenizer.TokenBytes(id).size();
    if (header_bytes > kMaxHeaderBytes) {
      flags.insert("too_long");
    } else {
      text += tokenizer.TokenBytes(id);
    }
  }

  // ---- messages ----
  void BeginHeader(std::string role) {
    where = Where::kHeader;
    header_role = std::move(role);
    header.parts.assign(1, {HeaderParts::Part::Kind::kRole, {}});
    header_bytes = 0;
  }

  void AddPart(HeaderParts::Part::Kind kind) {
    if (header.parts.size() >= kMaxHeaderParts) {  // the last one counts, so the oldest middle one goes
      header.parts.erase(header.parts.begin() + 1);
      flags.insert("too_long");
    }
    header.parts.push_back({kind, {}});
  }

  // A header is complete: its message begins. `events` null: told later.
  void Begin(Header h, std::vector<ParserEvent>* events) {
    // With a preset role this is a completion: only the assistant speaks in it.
    if (!options.role.empty() && h.role != options.role) {
      flags.insert("foreign_role");
      where = Where::kOver;
      discarding = true;
      return;
    }
    if (messages.size() >= options.max_messages) {
      flags.insert("too_many_messages");
      where = Where::kOver;
      discarding = true;
      return;
    }
    ParsedMessage message;
    message.role = std::move(h.role);
    message.name = std::move(h.name);
    message.channel = std::move(h.channel);
    message.recipient = std::move(h.recipient);
    message.content_type = std::move(h.content_type);
    message.route = RouteOf(message);
    messages.push_back(std::move(message));
    where = Where::kContent;
    detokenizer = StreamingDetokenizer(tokenizer);
    const ParserEvent event{.kind = ParserEvent::Kind::kMessageStart,
                            .route = messages.back().route,
                            .message = messages.size() - 1,
                            .text = {}};
    if (events != nullptr) {
      events->push_back(event);
    } else {
      held_start = event;
    }
  }

  void Deliver(std::string text) {
    ParsedMessage& message = messages.back();
    const std::size_t room =
        options.max_message_bytes - std::min(options.max_message_bytes, message.content.size());
    if (text.size() > room) {
      flags.insert("too_long");
      text.clear();  // whole characters only: better a missing delta than half a letter
    }
    if (text.empty()) return;
    message.content += text;
    Emit({.kind = ParserEvent::Kind::kTextDelta,
          .route = message.route,
          .message = messages.size() - 1,
          .text = std::move(text)});
  }

  void End(const char* stop) {
    Deliver(detokenizer.Flush());
    messages.back().stop = stop;
    Emit({.kind = ParserEvent::Kind::kMessageEnd,
          .route = messages.back().route,
          .message = messages.size() - 1,
          .text = {}});
    where = Where::kBetween;
  }

  // A header that <|message|> never ended: its leftover words are the message.
  void HeaderOnly(const char* stop) {
    flags.insert("missing_message_token");
    Header parsed = ParseHeader(header, header_role, false, flags);
    std::string content = std::exchange(parsed.leftover, {});
    Begin(std::move(parsed), out);
    if (where == Where::kOver) return;
    Deliver(std::move(content));
    End(stop);
  }

  // Text between messages: blanks are dropped, anything else is kept without a channel.
  void Stray() {
    const std::string text = std::exchange(stray, {});
    if (IsBlank(text)) return;
    flags.insert("stray_text");
    HeaderParts parts;
    parts.parts.push_back({HeaderParts::Part::Kind::kRole, text});
    Header parsed = ParseHeader(parts, options.role.empty() ? "assistant" : options.role, false, flags);
    std::string content = std::exchange(parsed.leftover, {});
    parsed.recipient.reset();
    Begin(std::move(parsed), out);
    if (where == Where::kOver) return;
    Deliver(std::move(content));
    End("stray");
  }

  void Emit(ParserEvent event) const {
    if (out != nullptr) out->push_back(std::move(event));
  }

  const Tokenizer& tokenizer;
  ParserOptions options;
  SpecialTokens special;
  StreamingDetokenizer detokenizer;
  Where where = Where::kBetween;
  HeaderParts header;
  std::string header_role, stray;
  std::size_t header_bytes = 0;
  std::vector<ParsedMessage> messages;
  std::set<std::string> flags;
  mutable std::vector<std::string> flag_list;
  std::vector<ParserEvent>* out = nullptr;
  std::optional<ParserEvent> held_start;
  bool turn_ended = false;
  bool discarding = false;  // over, and what follows is not worth a flag
};

StreamParser::StreamParser(const Tokenizer& tokenizer, ParserOptions options)
    : state_(std::make_unique<State>(tokenizer, std::move(options))) {}
StreamParser::~StreamParser() = default;
StreamParser::StreamParser(StreamParser&&) noexcept = default;
StreamParser& StreamParser::operator=(StreamParser&&) noexcept = default;

void StreamParser::Push(TokenId id, std::vector<ParserEvent>& events) { state_->Push(id, events); }
void StreamParser::Finish(std::vector<ParserEvent>& events) { state_->Finish(events); }
bool StreamParser::turn_ended() const { return state_->turn_ended; }
const std::vector<ParsedMessage>& StreamParser::messages() const { return state_->messages; }
const std::vector<std::string>& StreamParser::flags() const {
  state_->flag_list.assign(state_->flags.begin(), state_->flags.end());
  return state_->flag_list;
}

Json PolicyJson(const StreamParser& parser) {
  Json messages = Json::array();
  for (const ParsedMessage& m : parser.messages()) {
    Json message = {{"role", m.role}};
    if (m.name) message["name"] = *m.name;
    if (m.recipient) message["recipient"] = *m.recipient;
    if (m.channel) message["channel"] = *m.channel;
    if (m.content_type) message["content_type"] = *m.content_type;
    message["content"] = m.content;
    message["stop"] = m.stop;
    messages.push_back(std::move(message));
  }
  return {{"messages", std::move(messages)}, {"flags", parser.flags()}};
}

}  // namespace gptoss::harmony
