// Any text as a patch, applied to any text.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agents/tools/ignore_rules.h"
#include "agents/tools/patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gptoss::agents;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = bytes.find('\0');
  const std::string content(zero == std::string_view::npos ? "" : bytes.substr(zero + 1));
  const std::string_view text = bytes.substr(0, zero);
  (void)IgnoreRules::Parse(text).Judge(content, false);
  const auto files = ParsePatch(text);
  if (!files) return 0;
  if (files->empty()) std::abort();
  for (const FilePatch& file : *files) {
    if (file.path.empty()) std::abort();
    (void)ApplyHunks(content, file.hunks);
  }
  return 0;
}
