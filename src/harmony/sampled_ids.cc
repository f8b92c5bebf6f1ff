#include "harmony/sampled_ids.h"

#include <algorithm>

#include "harmony/parser.h"

namespace gptoss::harmony {
namespace {

// Control tokens only where a renderer would put them: nothing else may get into a prompt this way.
bool WellFormed(std::span<const TokenId> ids, bool call, const Tokenizer& tokenizer) {
  const SpecialTokens& special = tokenizer.special();
  const TokenId closing = call ? special.call : special.end;
  if (ids.size() < 3 || closing < 0 || ids.front() != special.start || ids.back() != closing) return false;
  const std::span<const TokenId> inside = ids.subspan(1, ids.size() - 2);
  const auto message = std::ranges::find(inside, special.message);
  if (special.message < 0 || message == inside.end()) return false;
  const auto text = [&](TokenId id) { return tokenizer.IsKnown(id) && !tokenizer.IsSpecial(id); };
  const auto header = [&](TokenId id) {
    return text(id) || (id >= 0 && (id == special.channel || id == special.constrain));
  };
  return std::all_of(inside.begin(), message, header) && std::all_of(message + 1, inside.end(), text);
}

}  // namespace

bool IdsSayTheMessage(const Message& message, const Tokenizer& tokenizer) {
  if (message.role != Role::kAssistant || message.content.size() != 1) return false;
  const auto* content = std::get_if<std::string>(&message.content.front());
  if (content == nullptr || !WellFormed(message.ids, message.recipient.has_value(), tokenizer)) return false;
  StreamParser parser(tokenizer, {.role = "", .channel = {}});
  std::vector<ParserEvent> events;
  for (const TokenId id : message.ids) {
    parser.Push(id, events);
    events.clear();
  }
  if (parser.messages().size() != 1 || parser.repaired()) return false;
  const ParsedMessage& read = parser.messages().front();
  return read.role == RoleName(Role::kAssistant) && read.name == message.name &&
         read.channel == message.channel && read.recipient == message.recipient &&
         read.content_type == message.content_type && read.content == *content;
}

std::vector<std::vector<TokenId>> CutIntoMessages(std::span<const TokenId> header,
                                                  std::span<const TokenId> sampled, std::size_t count,
                                                  const SpecialTokens& special) {
  std::vector<std::vector<TokenId>> messages;
  for (const std::span<const TokenId> part : {header, sampled}) {
    for (const TokenId id : part) {
      if (id == special.start || messages.empty()) messages.emplace_back();
      messages.back().push_back(id);
    }
  }
  // A header that was begun and not finished is no message.
  if (!messages.empty() && std::ranges::find(messages.back(), special.message) == messages.back().end())
    messages.pop_back();
  if (messages.size() != count) return std::vector<std::vector<TokenId>>(count);
  for (std::vector<TokenId>& message : messages) {
    TokenId& last = message.back();
    if (last == special.return_ || last == special.end_of_text) {
      last = special.end;
    } else if (last != special.end && last != special.call) {
      message.push_back(special.end);
    }
  }
  return messages;
}

}  // namespace gptoss::harmony
