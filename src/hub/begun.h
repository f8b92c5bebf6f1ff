// What is known and written down before the first byte of a model comes: its licence, and what the install
// will be, so that whoever lists or deletes models knows of partial files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "hub/installer.h"

namespace gptoss::hub {

inline constexpr std::string_view kNoLicense = "none named";
// The id that an acknowledgement is about: the repository's licence, the name it gives to one of its own, or
// kNoLicense.
std::string LicenseIdOf(const Listing& listing);

// For ManifestStore's shelf "installing".
Manifest BegunManifest(const InstallPlan& plan, const InstallOptions& options,
                       const std::filesystem::path& cache);
// Bytes of a begun install that need not be fetched any more.
std::uint64_t DurableBytesOf(const Manifest& begun, const std::filesystem::path& cache);

}  // namespace gptoss::hub
