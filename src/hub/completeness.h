// Does a choice of files make a whole model? A listing that is short must not become "installed".
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "hub/repository.h"

namespace gptoss::hub {

// By names: every part of "…-00001-of-00003.…" is there; with `is_gpt_oss` also weights, and config.json
// beside safetensors. kDataLoss, naming what lacks.
Status CheckNames(const std::vector<FileEntry>& files, bool is_gpt_oss);
// The file that says in which parts the tensors are; nullptr: none.
const FileEntry* FindWeightIndex(const std::vector<FileEntry>& files);
// Every part that the index on disk names is among `files`. kDataLoss.
Status CheckWeightIndex(const std::vector<FileEntry>& files, const FileEntry& index,
                        const std::filesystem::path& content);

}  // namespace gptoss::hub
