// What gptoss knows of an installed model: one JSON file per model in the state folder, written atomically.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/repository.h"

namespace gptoss::hub {

struct ManifestFile {
  std::string path;
  std::uint64_t size = 0;
  ContentHash hash;
  std::string role;           // "weights", "config", "tokenizer", "chat_template", "license", "other"
  std::int64_t mtime_ns = 0;  // of the content when it was verified
};

struct Acknowledgement {
  std::string license, commit, time, how;  // time: RFC 3339; how: "interactive", "--accept-license"
};

struct Manifest {
  int schema = 1;
  std::string model;  // name in the catalog, or org/name[:pattern]
  std::string repository, revision, commit;
  std::filesystem::path folder;  // snapshot or local folder that -m can open
  std::vector<ManifestFile> files;
  std::string license;
  std::optional<Acknowledgement> acknowledgement;
  std::string tokenizer_pin, chat_template_pin;  // SHA-256; "" if absent
  std::string verified_at, verified_by;          // RFC 3339; program version
};

// All manifests, by model name. Broken ones are reported in `problems`, never fatal. Older schemas are
// migrated on read.
struct ManifestStore {
  explicit ManifestStore(std::filesystem::path state_folder);
  std::vector<Manifest> List(std::vector<std::string>* problems = nullptr) const;
  Result<Manifest> Find(
      std::string_view model) const;  // by catalog name, repository or folder; kNotFound says what to do
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
// Every hash, in parallel, at disk speed. `on_bytes` gets increments from several threads.
Result<IntegrityReport> FullCheck(const Manifest& manifest, const CancelToken& cancel,
                                  const std::function<void(std::uint64_t)>& on_bytes = {});

}  // namespace gptoss::hub
