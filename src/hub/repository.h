// A repository of the Hub at one commit: what it holds, as far as names and numbers from the network can be
// trusted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gptoss::hub {

// The hash that the Hub gives for a file, which is also its name in the cache: 64 hex digits, SHA-256 of the
// content (LFS); 40 hex digits, git blob id, SHA-1 of "blob <size>\0" + content.
struct ContentHash {
  std::string hex;  // lower case
  bool is_sha256() const { return hex.size() == 64; }
  friend bool operator==(const ContentHash&, const ContentHash&) = default;
};
Result<ContentHash> ParseContentHash(
    std::string_view hex);  // kDataLoss unless 40 or 64 lower-case hex digits
// 40 lower-case hex digits.
bool IsCommit(std::string_view text);

struct FileEntry {
  std::string path;        // relative, '/' between parts; validated (ValidateListing)
  std::uint64_t size = 0;  // of the content, not of an LFS pointer
  ContentHash hash;        // sha256 for LFS, else the git blob id
  std::string git_oid;     // as listed: of the pointer for LFS
  std::string xet_hash;    // "" if none
};

// "org/name" or "name". `revision` as the user said it; `pattern` selects files ("" = by catalog or all).
struct ModelReference {
  std::string repository;
  std::string revision = "main";
  std::string pattern;
};
// org/name[@revision][:pattern]. kInvalidArgument with a sentence. Refuses "--", "..", control characters.
Result<ModelReference> ParseModelReference(std::string_view text);
// The way back; "@main" is left out.
std::string ToString(const ModelReference& reference);

struct Listing {
  std::string repository;
  std::string commit;            // 40 hex digits
  std::vector<FileEntry> files;  // sorted by path
  std::string
      license;  // "apache-2.0", "" if the repository does not say; "other" comes with license_name/link
  std::string license_name, license_link;
  bool gated = false, is_private = false;
};

// A relative name that can be used below a folder: kDataLoss with the reason if it is empty or absolute, has
// "..", ".", ".git" or empty parts, a backslash, control or direction characters, invalid UTF-8, a drive
// letter, a part over 255 or a path over 1024 bytes.
Status ValidatePath(std::string_view path);

// Refuses the whole listing (kDataLoss, naming the entry) if any name fails ValidatePath or any hash or the
// commit is not hex; if two entries are equal; if a name is both file and folder; if a size is absurd
// (> 4 TB); if there are no files or more than 100,000. With `case_insensitive_disk` names that differ only
// in case (full Unicode case folding) or in composition (NFC against NFD) are equal, as they are for APFS,
// exFAT and folders of ext4 with case folding.
Status ValidateListing(const Listing& listing, bool case_insensitive_disk);
// What such a disk compares names by.
std::string CollisionKey(std::string_view path);

// Python's fnmatchcase as the Hub's clients use it: '*' crosses '/', a trailing '/' means all below.
bool MatchesPattern(std::string_view path, std::string_view pattern);
// Those that match any of `include` (empty: all) and none of `exclude`.
std::vector<FileEntry> SelectFiles(const std::vector<FileEntry>& files,
                                   const std::vector<std::string>& include,
                                   const std::vector<std::string>& exclude);

}  // namespace gptoss::hub
