// Any bytes as a tokenizer.json: an error or a tokenizer that encodes.
#include <cstdint>
#include <string_view>

#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = gptoss::Tokenizer::FromJson(text, "fuzz");
  if (tokenizer) (void)(*tokenizer)->EncodeText(text);
  return 0;
}
