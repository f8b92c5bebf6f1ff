// A checkpoint on disk (a folder, one .safetensors' folder, a .gguf, whole or in parts) or linked into the
// program.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "model/weights.h"

namespace gptoss {

// A tokenizer as the checkpoint carries it: the text of tokenizer.json, or GGUF metadata. This folder knows
// no tokenizer: it hands on the bytes.
struct TokenizerSource {
  std::shared_ptr<const MappedFile> json;  // tokenizer.json; null for GGUF
  struct Token {
    std::string_view text;
    std::int32_t type;
  };
  std::vector<Token> gguf_tokens;  // views into the mapped file
};

struct Checkpoint {
  std::shared_ptr<const Model> model;
  std::optional<TokenizerSource> tokenizer;         // absent: the folder has none
  std::shared_ptr<const MappedFile> chat_template;  // chat_template.jinja; may be null
};

// `path`: a folder with config.json and *.safetensors (one, or sharded by model.safetensors.index.json), a
// folder with one .gguf or the parts of one, or a .gguf file; any part stands for all, which lie beside it.
// Layout is recognised from the tensors themselves. Errors: one sentence with file, tensor, expected and
// found. Maps; reads headers and small vectors only.
Result<Checkpoint> OpenCheckpoint(const std::filesystem::path& path);

// The same from files held in memory ("config.json" -> bytes …), e.g. the demo linked into the program.
using MemoryFiles = std::map<std::string, std::shared_ptr<const MappedFile>>;
Result<Checkpoint> OpenCheckpoint(const MemoryFiles& files, std::string_view name);

}  // namespace gptoss
