// The record of accepted licences: which model and revision, under which licence, when and how.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss {

struct Acknowledgement {
  std::string model;      // "openai/gpt-oss-20b"
  std::string revision;   // commit of the model's repository
  std::string licence;    // "apache-2.0"
  std::string how;        // "--accept-license", "asked in the terminal", "embedding program" …
  std::string time = {};  // UTC, "2025-01-31T12:00:00Z"; filled in when recorded
};

// One JSON line is added to `state_directory`/acknowledgements.jsonl, under a lock and by renaming a whole
// new file into place: a crash loses nothing that was recorded. Earlier lines are never changed. The folder
// is made where it is missing. Any thread, any number of processes.
Status RecordAcknowledgement(const std::filesystem::path& state_directory, Acknowledgement acknowledgement);

// The latest record with exactly this model, revision and licence. Lines that are damaged count for nothing.
// Errors: the file is there but cannot be read.
Result<std::optional<Acknowledgement>> FindAcknowledgement(const std::filesystem::path& state_directory,
                                                           std::string_view model, std::string_view revision,
                                                           std::string_view licence);

}  // namespace gptoss
