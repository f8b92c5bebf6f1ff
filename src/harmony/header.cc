#include "harmony/header.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"

namespace gptoss::harmony {
namespace {

constexpr std::array<std::string_view, 3> kChannels = {"commentary", "analysis", "final"};
constexpr std::array<std::string_view, 4> kRoles = {"assistant", "developer", "system", "user"};

// White_Space of Unicode, which includes the narrow no-break space that the model likes.
bool IsSpace(char32_t c) {
  return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// A text read word by word from the front.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}

  bool StartsWithSpace() const { return !rest_.empty() && IsSpace(NextUtf8(rest_).code_point); }
  void SkipSpace() {
    while (StartsWithSpace()) rest_.remove_prefix(NextUtf8(rest_).length);
  }
  // The next word, empty at the end; the rest begins right behind it.
  std::string_view Next() {
    SkipSpace();
    std::size_t length = 0;
    while (length < rest_.size()) {
      const Utf8Step step = NextUtf8(rest_.substr(length));
      if (IsSpace(step.code_point)) break;
      length += step.length;
    }
    const std::string_view word = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return word;
  }
  std::string_view rest() const { return rest_; }
  void Drop(std::size_t bytes) { rest_.remove_prefix(bytes); }

 private:
  std::string_view rest_;
};

std::string_view Strip(std::string_view text) {
  Words words(text);
  words.SkipSpace();
  text = words.rest();
  std::size_t end = 0, at = 0;
  while (at < text.size()) {
    const Utf8Step step = NextUtf8(text.substr(at));
    at += step.length;
    if (!IsSpace(step.code_point)) end = at;
  }
  return text.substr(0, end);
}

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '$' || c == '-';
}

std::string_view NamePrefix(std::string_view text) {
  return text.substr(0, static_cast<std::size_t>(std::ranges::find_if_not(text, IsNameByte) - text.begin()));
}

bool KnownType(std::string_view word) { return word == "json" || word == "code"; }

bool PrefixIgnoringCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         });
}

class Reader {
 public:
  Reader(std::string_view preset_role, bool has_message, std::set<std::string>& flags)
      : preset_role_(preset_role), has_message_(has_message), flags_(flags) {}

  Header Read(const HeaderParts& parts) {
    header_.role = preset_role_.empty() ? "assistant" : std::string(preset_role_);
    std::size_t last_channel = parts.parts.size();
    for (std::size_t i = 0; i < parts.parts.size(); ++i) {
      if (parts.parts[i].kind == HeaderParts::Part::Kind::kChannel) last_channel = i;
    }
    for (std::size_t i = 0; i < parts.parts.size(); ++i) {
      const std::string text = ReplaceInvalidUtf8(parts.parts[i].text);
      switch (parts.parts[i].kind) {
        case HeaderParts::Part::Kind::kRole:
          ReadRole(text);
          break;
        case HeaderParts::Part::Kind::kChannel:
          ReadChannel(text, i == last_channel);
          break;
        case HeaderParts::Part::Kind::kConstrain:
          ReadConstrain(text);
          break;
      }
    }
    if (header_.role == "assistant" && header_.recipient == "assistant") {
      header_.recipient.reset();
      flags_.insert("self_recipient");
    }
    if (header_.role == "assistant" && !header_.channel) flags_.insert("no_channel");
    if (has_message_ && !header_.leftover.empty()) flags_.insert("header_leftover");
    return std::move(header_);
  }

 private:
  void ReadRole(std::string_view text) {
    Words words(text);
    if (preset_role_.empty()) {
      TakeRole(words);
    } else {
      Words ahead = words;
      if (ahead.Next() == preset_role_) words = ahead;  // the role once more, as strict clients feed it
    }
    ReadWords(words, /*types=*/false);
  }

  void TakeRole(Words& words) {
    Words ahead = words;
    const std::string_view word = ahead.Next();
    if (word.empty()) {
      if (!has_message_) return;
      flags_.insert("unknown_role");
      return;
    }
    for (const std::string_view role : kRoles) {
      if (!word.starts_with(role)) continue;
      header_.role = role;
      words = ahead;
      if (word.size() == role.size()) return;
      if (word[role.size()] == ':' && word.size() > role.size() + 1) {
        header_.name = word.substr(role.size() + 1);
      } else {
        flags_.insert("role_garbage");
      }
      return;
    }
    Words after = ahead;
    if (after.Next().starts_with("to=")) {  // a tool's message: its author is the name alone
      header_.role = "tool";
      header_.name = word;
      words = ahead;
      return;
    }
    flags_.insert("unknown_role");
  }

  void ReadChannel(std::string_view text, bool counts) {
    Words words(text);
    if (counts && (text.empty() || words.StartsWithSpace())) flags_.insert("channel_gap");
    Words ahead = words;
    const std::string_view word = ahead.Next();
    for (const std::string_view name : kChannels) {
      if (!PrefixIgnoringCase(word, name)) continue;
      words.SkipSpace();
      words.Drop(name.size());
      if (counts) header_.channel = name;
      const std::string_view garbage = word.substr(name.size());
      if (garbage.starts_with("to=")) break;  // glued on: still a recipient
      words = ahead;
      if (counts && (!garbage.empty() || word.substr(0, name.size()) != name))
        flags_.insert("channel_garbage");
      break;
    }
    if (counts && !header_.channel && !word.empty() && !word.starts_with("to=") && !KnownType(word)) {
      flags_.insert("unknown_channel");
      if (has_message_) words = ahead;
    }
    ReadWords(words, /*types=*/true);
  }

  // Recipient, type, and what is neither. Without <|message|> the text behind the last field is content as it
  // is.
  void ReadWords(Words words, bool types) {
    while (true) {
      Words ahead = words;
      const std::string_view word = ahead.Next();
      if (word.empty()) return;
      if (word.starts_with("to=")) {
        TakeRecipient(word.substr(3));
      } else if (types && !header_.content_type && KnownType(word)) {
        header_.content_type = word;
      } else if (!has_message_) {
        AddLeftover(words.rest());
        return;
      } else {
        AddLeftover(word);
      }
      words = ahead;
    }
  }

  void TakeRecipient(std::string_view given) {
    const std::string_view name = NamePrefix(given);
    if (name.size() != given.size() || name.empty()) flags_.insert("recipient_garbage");
    if (name.empty()) return;
    if (header_.recipient) {
      flags_.insert("header_leftover");  // the first one wins
    } else {
      header_.recipient = name;
    }
  }

  void ReadConstrain(std::string_view text) {
    Words words(text);
    words.SkipSpace();
    const std::string_view name = NamePrefix(words.rest());
    Words after = words;
    after.Drop(name.size());
    const bool alone = Strip(after.rest()).empty();
    if (name.empty() || (!KnownType(name) && !(alone && has_message_))) {
      if (!Strip(text).empty()) flags_.insert("constrain_garbage");
      AddLeftover(text);
      return;
    }
    if (!header_.content_type) header_.content_type = "<|constrain|>" + std::string(name);
    if (has_message_) {
      ReadWords(after, /*types=*/false);
    } else {
      AddLeftover(after.rest());
    }
  }

  void AddLeftover(std::string_view text) {
    text = Strip(text);
    if (text.empty()) return;
    if (!header_.leftover.empty()) header_.leftover += ' ';
    header_.leftover += text;
  }

  std::string_view preset_role_;
  bool has_message_;
  std::set<std::string>& flags_;
  Header header_;
};

}  // namespace

bool HeaderParts::Empty() const {
  return std::ranges::all_of(parts,
                             [](const Part& p) { return p.kind == Part::Kind::kRole && p.text.empty(); });
}

Header ParseHeader(const HeaderParts& parts, std::string_view preset_role, bool has_message,
                   std::set<std::string>& flags) {
  return Reader(preset_role, has_message, flags).Read(parts);
}

}  // namespace gptoss::harmony
