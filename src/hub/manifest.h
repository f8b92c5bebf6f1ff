// What gptoss knows of an installed model: one JSON file per model in the state folder, written atomically.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/repository.h"

namespace gptoss::hub {

// 1: without include and exclude.  2: with them, so that an update fetches the files that were asked for.
inline constexpr int kManifestSchema = 2;
inline constexpr std::uint64_t kMaxManifestBytes = 64ULL << 20;
// The manifest that an exported folder carries, so that the other machine can verify it.
inline constexpr std::string_view kExportedManifest = "gptoss-manifest.json";

struct ManifestFile {
  std::string path;
  std::uint64_t size = 0;
  ContentHash hash;
  std::string role;           // RoleOf(path)
  std::int64_t mtime_ns = 0;  // of the content when it was verified; 0: not known
};

struct Acknowledgement {
  std::string license, commit, time, how;  // time: RFC 3339; how: "interactive", "--accept-license"
};

struct Manifest {
  int schema = kManifestSchema;
  std::string model;  // name in the catalog, or org/name[:pattern]
  std::string repository, revision, commit;
  std::vector<std::string> include, exclude;  // as asked at the install; empty: the catalog's, else all
  std::filesystem::path folder;               // snapshot or local folder that -m can open
  std::vector<ManifestFile> files;
  std::string license;
  std::optional<Acknowledgement> acknowledgement;
  std::string tokenizer_pin, chat_template_pin;  // SHA-256; "" if absent
  std::string verified_at, verified_by;          // RFC 3339; program version. "": an install that is not done
};

std::uint64_t TotalBytes(const Manifest& manifest);
// "weights", "config", "tokenizer", "chat_template", "license", "other", by the file's name.
std::string_view RoleOf(std::string_view path);
// Now, as RFC 3339 in UTC with seconds.
std::string NowRfc3339();

// What -m opens: the folder, or the one .gguf in it where the model is that.
std::filesystem::path CheckpointPath(const Manifest& manifest);

std::string ManifestToJson(const Manifest& manifest);
// Migrates older schemas. kDataLoss: not a manifest, or names and hashes that no install writes;
// kUnsupported: made by a newer gptoss.
Result<Manifest> ParseManifest(std::string_view json);

// All manifests, by model name. Broken ones are reported in `problems`, never fatal. Older schemas are
// migrated on read. Shelf "models" holds what is installed, "installing" what an install has begun and not
// finished.
struct ManifestStore {
  explicit ManifestStore(const std::filesystem::path& state_folder, std::string_view shelf = "models");
  std::vector<Manifest> List(std::vector<std::string>* problems = nullptr) const;
  // By catalog name ("": the default), repository, either with @revision or @commit, or folder. kNotFound
  // says what to do; kFailedPrecondition: there is a manifest, and it cannot be read.
  Result<Manifest> Find(std::string_view model) const;
  Status Write(const Manifest& manifest) const;
  Status Remove(const Manifest& manifest) const;

 private:
  std::filesystem::path folder_;
};

enum class Integrity : std::uint8_t { kVerified, kChanged, kDamaged, kIncomplete };
std::string_view IntegrityName(Integrity integrity);
struct IntegrityReport {
  Integrity state = Integrity::kVerified;
  struct Problem {
    std::string path, what;  // "missing", "4,096 bytes short", "hash differs"
  };
  std::vector<Problem> problems;
  std::vector<std::string> drifts;  // tokenizer or template differ from the pins, and what that means
};
// Sizes, times, headers: < 20 ms for a model of any size. Reads no whole file.
IntegrityReport QuickCheck(const Manifest& manifest);
// For whoever is about to load the model: kDataLoss if QuickCheck finds it damaged or incomplete, with the
// command that repairs it. A model that only changed since (a copy, a restored backup) may be loaded.
Status RequireIntact(const Manifest& manifest);
// Every hash, in parallel, at disk speed. `on_bytes` gets increments from several threads.
Result<IntegrityReport> FullCheck(const Manifest& manifest, const CancelToken& cancel,
                                  const std::function<void(std::uint64_t)>& on_bytes = {});
// After every byte was verified: fills roles, times of content, pins, verified_at and verified_by from what
// lies in manifest.folder.
Status StampVerified(Manifest& manifest, std::string_view program_version);

}  // namespace gptoss::hub
