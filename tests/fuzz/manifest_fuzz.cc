// Any bytes as a manifest: an error, or a manifest whose names stay inside its folder and that is the same
// when it is written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hub/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gptoss::hub;
  const auto manifest = ParseManifest({reinterpret_cast<const char*>(data), size});
  if (!manifest) return 0;
  for (const ManifestFile& file : manifest->files)
    if (file.path.empty() || file.path.front() == '/' || file.path.starts_with("../")) std::abort();
  const std::string written = ManifestToJson(*manifest);
  const auto again = ParseManifest(written);
  if (!again || ManifestToJson(*again) != written) std::abort();
  return 0;
}
