// The checkpoint linked into the program (models/demo).
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "model/checkpoint.h"
#include "provider/generation.h"

extern "C" {
extern const unsigned char gptoss_demo_config[];
extern const std::uint64_t gptoss_demo_config_size;
extern const unsigned char gptoss_demo_tokenizer[];
extern const std::uint64_t gptoss_demo_tokenizer_size;
extern const unsigned char gptoss_demo_weights[];
extern const std::uint64_t gptoss_demo_weights_size;
extern const unsigned char gptoss_demo_template[];
extern const std::uint64_t gptoss_demo_template_size;  // maybe 0
}

namespace gptoss {
namespace {

void Add(const std::string& name, const unsigned char* begin, std::uint64_t size, MemoryFiles& files) {
  if (size == 0) return;
  const auto bytes = std::as_bytes(std::span(begin, static_cast<std::size_t>(size)));
  files[name] = MappedFile::FromStatic(bytes, "embedded " + name);
}

}  // namespace

Result<Checkpoint> OpenDemoCheckpoint() {
  MemoryFiles files;
  Add("config.json", gptoss_demo_config, gptoss_demo_config_size, files);
  Add("tokenizer.json", gptoss_demo_tokenizer, gptoss_demo_tokenizer_size, files);
  Add("model.safetensors", gptoss_demo_weights, gptoss_demo_weights_size, files);
  Add("chat_template.jinja", gptoss_demo_template, gptoss_demo_template_size, files);
  return OpenCheckpoint(files, "embedded demo");
}

}  // namespace gptoss
