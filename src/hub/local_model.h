// Models that are files of the user's own, used where they lie.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/manifest.h"
#include "hub/transfer.h"

namespace gptoss::hub {

// Hashes a folder's files (or one .gguf, with all its parts) and makes the manifest that a later check
// compares with. `path` is absolute. The model is called as the folder or file is. Hidden files and folders
// are left out. kInvalidArgument: there are no weights (*.safetensors, *.gguf).
Result<Manifest> ManifestOfLocalModel(const std::filesystem::path& path, std::string_view program_version,
                                      const CancelToken& cancel, const ProgressObserver& observer = {});

}  // namespace gptoss::hub
