// The checkpoint linked into the program (models/demo).
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "model/checkpoint.h"
#include "provider/generation.h"

extern "C" {
extern const unsigned char gptoss_demo_config[], gptoss_demo_config_end[];
extern const unsigned char gptoss_demo_tokenizer[], gptoss_demo_tokenizer_end[];
extern const unsigned char gptoss_demo_weights[], gptoss_demo_weights_end[];
extern const unsigned char gptoss_demo_template[], gptoss_demo_template_end[];  // maybe of no bytes
}

namespace gptoss {
namespace {

void Add(const std::string& name, const unsigned char* begin, const unsigned char* end, MemoryFiles& files) {
  if (begin == end) return;
  const auto bytes = std::as_bytes(std::span(begin, static_cast<std::size_t>(end - begin)));
  files[name] = MappedFile::FromStatic(bytes, "embedded " + name);
}

}  // namespace

Result<Checkpoint> OpenDemoCheckpoint() {
  MemoryFiles files;
  Add("config.json", gptoss_demo_config, gptoss_demo_config_end, files);
  Add("tokenizer.json", gptoss_demo_tokenizer, gptoss_demo_tokenizer_end, files);
  Add("model.safetensors", gptoss_demo_weights, gptoss_demo_weights_end, files);
  Add("chat_template.jinja", gptoss_demo_template, gptoss_demo_template_end, files);
  return OpenCheckpoint(files, "embedded demo");
}

}  // namespace gptoss
