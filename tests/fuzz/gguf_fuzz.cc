// Any bytes as a .gguf file: an error or tensors inside the file.
#include <cstdint>
#include <cstdlib>

#include "model/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto file = gptoss::MappedFile::FromStatic(bytes, "fuzz");
  const auto gguf = gptoss::ReadGguf(*file);
  if (!gguf) return 0;
  for (const auto& [name, tensor] : gguf->tensors) {
    if (tensor.bytes.empty()) continue;
    if (tensor.bytes.data() < bytes.data() || tensor.bytes.size() > size) std::abort();
    volatile std::byte last = tensor.bytes.back();  // an over-read shows here
    (void)last;
  }
  return 0;
}
