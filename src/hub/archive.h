// Models on their way to machines without a network: out of the cache into a plain folder or a tar, and
// unpacked again.
#pragma once

#include <filesystem>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/manifest.h"
#include "hub/transfer.h"

namespace gptoss::hub {

// Copies the model's files and a manifest (kExportedManifest) and checks every hash on the way: what is
// exported is right. `destination` must not exist yet; it appears whole, or not at all. Errors:
// kAlreadyExists, kDataLoss (a file is damaged: which), kResourceExhausted (how many bytes are needed),
// kCancelled.
Status ExportToFolder(const Manifest& manifest, const std::filesystem::path& destination,
                      const ProgressObserver& observer, const CancelToken& cancel);
Status ExportToTar(const Manifest& manifest, const std::filesystem::path& destination,
                   const ProgressObserver& observer, const CancelToken& cancel);

// Unpacks a tar into `folder` (made by this, and removed again on error) and returns where the model's files
// lie in it: the folder itself, or the one folder that holds everything. Names that lead out of it are
// refused (kDataLoss).
Result<std::filesystem::path> UnpackTar(const std::filesystem::path& tar, const std::filesystem::path& folder,
                                        const ProgressObserver& observer, const CancelToken& cancel);

}  // namespace gptoss::hub
