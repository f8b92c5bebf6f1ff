#include "hub/repository.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace gptoss::hub {
namespace {

bool IsHex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsWord(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// The rule of the Hub: letters, digits, '_', '-', '.'; no '-' or '.' at the ends of a part; at most 96 bytes.
bool IsRepositoryName(std::string_view name) {
  if (name.empty() || name.size() > 96 || name.ends_with(".git")) return false;
  if (name.find("--") != name.npos || name.find("..") != name.npos) return false;
  int parts = 1;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '/') ++parts;
    if (c == '/' || c == '-' || c == '.') {
      const bool inside = i > 0 && i + 1 < name.size() && name[i - 1] != '/' && name[i + 1] != '/';
      if (!inside) return false;
    } else if (!IsWord(c)) {
      return false;
    }
  }
  return parts <= 2;
}

std::unexpected<Error> BadReference(std::string_view text, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' names no model: {}; say ORG/NAME, ORG/NAME@REVISION or ORG/NAME:PATTERN",
                          ReplaceInvalidUtf8(text.substr(0, 200)), why));
}

std::u32string CodePoints(std::string_view text) {
  std::u32string out;
  while (!text.empty()) {
    const Utf8Step step = NextUtf8(text);
    out.push_back(step.code_point);
    text.remove_prefix(step.length);
  }
  return out;
}

// The end of the set that starts at pattern[open] ('['), or npos if it is not closed: then '[' means itself.
std::size_t SetEnd(std::u32string_view pattern, std::size_t open) {
  std::size_t i = open + 1;
  if (i < pattern.size() && pattern[i] == U'!') ++i;
  if (i < pattern.size() && pattern[i] == U']') ++i;
  return pattern.find(U']', i);
}

bool InSet(std::u32string_view set, char32_t c) {  // without the brackets
  const bool negated = set.starts_with(U'!');
  if (negated) set.remove_prefix(1);
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == U'-') {
      found |= set[i] <= c && c <= set[i + 2];
      i += 2;
    } else {
      found |= set[i] == c;
    }
  }
  return found != negated;
}

// Does one step of `pattern` at `p` match `c`? Moves `p` behind the step.
bool MatchOne(std::u32string_view pattern, std::size_t& p, char32_t c) {
  if (pattern[p] == U'[') {
    if (const std::size_t end = SetEnd(pattern, p); end != pattern.npos) {
      const std::u32string_view set = pattern.substr(p + 1, end - p - 1);
      p = end + 1;
      return InSet(set, c);
    }
  }
  const bool same = pattern[p] == U'?' || pattern[p] == c;
  ++p;
  return same;
}

}  // namespace

Result<ContentHash> ParseContentHash(std::string_view hex) {
  if ((hex.size() != 40 && hex.size() != 64) || !IsHex(hex)) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("'{}' is no hash of a file: 40 or 64 lower-case hex digits are expected",
                            ReplaceInvalidUtf8(hex.substr(0, 80))));
  }
  return ContentHash{std::string(hex)};
}

bool IsCommit(std::string_view text) { return text.size() == 40 && IsHex(text); }

Result<ModelReference> ParseModelReference(std::string_view text) {
  if (text.empty()) return BadReference(text, "it is empty");
  ModelReference reference;
  std::string_view rest = text;
  if (const auto colon = rest.find(':'); colon != rest.npos) {
    reference.pattern = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    std::ranges::replace(reference.pattern, '\\', '/');
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    if (reference.pattern.empty()) return BadReference(text, "nothing follows the colon");
    if (reference.pattern.starts_with('/'))
      return BadReference(text, "it is neither a web address nor a folder");
    if (reference.pattern.size() > 1024 || !IsValidUtf8(reference.pattern) ||
        std::ranges::any_of(reference.pattern, is_control)) {
      return BadReference(text, "the pattern has characters that no file name has");
    }
  }
  if (const auto at = rest.find('@'); at != rest.npos) {
    reference.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
    if (reference.revision.empty()) return BadReference(text, "nothing follows the @");
    if (const Status valid = ValidatePath(reference.revision); !valid || reference.revision.size() > 255) {
      return BadReference(text, "its revision is no branch, tag or commit");
    }
  }
  if (!IsRepositoryName(rest)) {
    return BadReference(text, rest.find('/') == rest.npos && !rest.empty()
                                  ? "it has characters that no repository has"
                                  : "its repository is not of the form ORG/NAME");
  }
  reference.repository = rest;
  return reference;
}

std::string ToString(const ModelReference& reference) {
  std::string text = reference.repository;
  if (reference.revision != "main") text += "@" + reference.revision;
  if (!reference.pattern.empty()) text += ":" + reference.pattern;
  return text;
}

bool MatchesPattern(std::string_view path, std::string_view pattern) {
  std::u32string wanted = CodePoints(pattern);
  std::ranges::replace(wanted, U'\\', U'/');
  if (wanted.ends_with(U'/')) wanted += U'*';
  const std::u32string name = CodePoints(path);
  // The classic walk: after a mismatch go back to the last star and let it swallow one more character.
  std::size_t n = 0, p = 0, star = wanted.npos, star_n = 0;
  while (n < name.size()) {
    if (p < wanted.size() && wanted[p] == U'*') {
      star = p++;
      star_n = n;
      continue;
    }
    if (p < wanted.size() && MatchOne(wanted, p, name[n])) {
      ++n;
      continue;
    }
    if (star == wanted.npos) return false;
    p = star + 1;
    n = ++star_n;
  }
  while (p < wanted.size() && wanted[p] == U'*') ++p;
  return p == wanted.size();
}

std::vector<FileEntry> SelectFiles(const std::vector<FileEntry>& files,
                                   const std::vector<std::string>& include,
                                   const std::vector<std::string>& exclude) {
  std::vector<FileEntry> selected;
  for (const FileEntry& file : files) {
    const auto matches = [&](const std::string& pattern) { return MatchesPattern(file.path, pattern); };
    if (!include.empty() && std::ranges::none_of(include, matches)) continue;
    if (std::ranges::any_of(exclude, matches)) continue;
    selected.push_back(file);
  }
  return selected;
}

}  // namespace gptoss::hub
