// Names and numbers from the network, before anything is written.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "hub/repository.h"
#include "hub/unicode_tables.h"

namespace gptoss::hub {
namespace {

constexpr std::size_t kMaxFiles = 100'000, kMaxPart = 255, kMaxPath = 1024;
constexpr std::uint64_t kMaxSize = 4'000'000'000'000;

// Characters that would let a name look like another one in a terminal or hide in it.
bool IsTreacherous(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x200E && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

// A name for a message: nothing in it can move the cursor.
std::string Printable(std::string_view name) {
  std::string out;
  std::size_t shown = 0;
  while (!name.empty() && shown < 120) {
    const Utf8Step step = NextUtf8(name);
    if (IsTreacherous(step.code_point)) {
      out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(step.code_point));
    } else {
      AppendUtf8(step.code_point, out);
    }
    name.remove_prefix(step.length);
    ++shown;
  }
  if (!name.empty()) out += "…";
  return out;
}

std::unexpected<Error> BadName(std::string_view path, std::string_view why) {
  return Fail(ErrorCode::kDataLoss, fmt::format("the file name '{}' {}", Printable(path), why));
}

Status ValidatePart(std::string_view path, std::string_view part) {
  if (part.empty()) return BadName(path, "is absolute or has an empty part");
  if (part == "." || part == "..") return BadName(path, "leads out of its folder");
  if (part.size() > kMaxPart) return BadName(path, fmt::format("has a part over {} bytes", kMaxPart));
  if (part.size() == 4 && CollisionKey(part) == ".git") return BadName(path, "is reserved for git");
  return {};
}

std::uint8_t CombiningClass(char32_t c) {
  const auto* const end = internal::kCombiningRanges + internal::kCombiningCount;
  const auto* range = std::upper_bound(internal::kCombiningRanges, end, c,
                                       [](char32_t value, const auto& r) { return value < r.first; });
  if (range == internal::kCombiningRanges) return 0;
  --range;
  return c <= range->last ? range->combining_class : 0;
}

void AppendKey(char32_t c, std::u32string& out) {
  if (c < 0x80) {
    out.push_back(c >= U'A' && c <= U'Z' ? c + 32 : c);
    return;
  }
  if (c >= 0xAC00 && c <= 0xD7A3) {  // Hangul syllables: Unicode 3.12
    const char32_t index = c - 0xAC00;
    out.push_back(0x1100 + index / 588);
    out.push_back(0x1161 + index % 588 / 28);
    if (index % 28 != 0) out.push_back(0x11A7 + index % 28);
    return;
  }
  const auto* const end = internal::kFoldEntries + internal::kFoldCount;
  const auto* const entry = std::lower_bound(
      internal::kFoldEntries, end, c, [](const auto& e, char32_t value) { return e.code_point < value; });
  if (entry == end || entry->code_point != c) {
    out.push_back(c);
  } else {
    out.append(internal::kFoldPool + entry->offset, entry->length);
  }
}

// Files and folders that have been seen, by what the disk compares.
class NameSet {
 public:
  explicit NameSet(bool folded) : folded_(folded) {}

  Status Add(const std::string& path) {
    const std::string key = folded_ ? CollisionKey(path) : path;
    const auto [other, is_new] = files_.emplace(key, path);
    if (!is_new) {
      return BadName(path, other->second == path
                               ? "is listed twice"
                               : fmt::format("and '{}' are one name on this disk", Printable(other->second)));
    }
    for (auto slash = key.find('/'); slash != key.npos; slash = key.find('/', slash + 1)) {
      folders_.insert(key.substr(0, slash));
    }
    return {};
  }
  Status Check() const {
    for (const auto& [key, path] : files_) {
      if (folders_.contains(key)) return BadName(path, "is both a file and a folder");
    }
    return {};
  }

 private:
  bool folded_;
  std::map<std::string, std::string> files_;
  std::set<std::string> folders_;
};

}  // namespace

std::string CollisionKey(std::string_view path) {
  std::u32string key;
  while (!path.empty()) {
    const Utf8Step step = NextUtf8(path);
    AppendKey(step.code_point, key);
    path.remove_prefix(step.length);
  }
  // Canonical order of combining marks: a stable sort of each run of characters with a class.
  for (std::size_t i = 0; i < key.size();) {
    std::size_t end = i;
    while (end < key.size() && CombiningClass(key[end]) != 0) ++end;
    // By insertion: the runs are short, and libstdc++'s stable_sort warns under Clang.
    for (std::size_t j = i + 1; j < end; ++j) {
      for (std::size_t k = j; k > i && CombiningClass(key[k]) < CombiningClass(key[k - 1]); --k)
        std::swap(key[k], key[k - 1]);
    }
    i = end + 1;
  }
  std::string out;
  for (const char32_t c : key) AppendUtf8(c, out);
  return out;
}

Status ValidatePath(std::string_view path) {
  if (path.empty()) return Fail(ErrorCode::kDataLoss, "a file without a name");
  if (path.size() > kMaxPath) return BadName(path, fmt::format("is longer than {} bytes", kMaxPath));
  if (!IsValidUtf8(path)) return BadName(path, "is not valid UTF-8");
  for (std::string_view rest = path; !rest.empty();) {
    const Utf8Step step = NextUtf8(rest);
    if (step.code_point == U'\\') return BadName(path, "has a backslash");
    if (IsTreacherous(step.code_point)) return BadName(path, "has invisible or control characters");
    rest.remove_prefix(step.length);
  }
  const bool letter = (path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z');
  if (letter && path.size() > 1 && path[1] == ':') return BadName(path, "starts with a drive letter");
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t slash = std::min(path.find('/', start), path.size());
    GPTOSS_CHECK_OK(ValidatePart(path, path.substr(start, slash - start)));
    start = slash + 1;
  }
  return {};
}

Status ValidateListing(const Listing& listing, bool case_insensitive_disk) {
  const auto within = [&](Error error) {
    return std::unexpected(std::move(error).Within(
        fmt::format("the listing of {} is refused and nothing was written", Printable(listing.repository))));
  };
  if (!IsCommit(listing.commit)) {
    return within({ErrorCode::kDataLoss, fmt::format("'{}' is no commit", Printable(listing.commit))});
  }
  if (listing.files.empty()) return within({ErrorCode::kDataLoss, "it has no files"});
  if (listing.files.size() > kMaxFiles) {
    return within({ErrorCode::kDataLoss, fmt::format("{} files are more than the {} that are accepted",
                                                     listing.files.size(), kMaxFiles)});
  }
  NameSet names(case_insensitive_disk);
  for (const FileEntry& file : listing.files) {
    Status status = ValidatePath(file.path);
    if (status && file.size > kMaxSize)
      status = BadName(file.path, fmt::format("claims {} bytes", file.size));
    if (status && !ParseContentHash(file.hash.hex))
      status = BadName(file.path, "comes with a hash that is none");
    if (status) status = names.Add(file.path);
    if (!status) return within(std::move(status).error());
  }
  if (Status status = names.Check(); !status) return within(std::move(status).error());
  return {};
}

}  // namespace gptoss::hub
