// GGUF checkpoints in parts, as llama.cpp's gguf-split writes them: NAME-00001-of-0000N.gguf, the metadata in
// the first part, the tensors spread over all.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "model/gguf.h"

namespace gptoss {

struct SplitName {
  std::string stem;  // before "-00001-of-00003.gguf"
  int number = 0;    // from 1
  int count = 0;

  bool operator==(const SplitName&) const = default;
};
// nullopt: not the name of a part.
std::optional<SplitName> ParseSplitName(std::string_view file_name);
std::string SplitFileName(const SplitName& name);

struct GgufSet {
  std::vector<std::shared_ptr<const MappedFile>> files;  // in order; views of `gguf` live as long as they do
  GgufFile gguf;                                         // metadata of the first, tensors of all
};
// `path`: a whole .gguf, or any part of a set. Errors: kNotFound names the part that is missing; kDataLoss
// where a file is not the part that its name says, or tensors are missing or there twice.
Result<GgufSet> OpenGgufSet(const std::filesystem::path& path);
// Which of these files to open when they are all of one set; nullptr: they are not.
const std::filesystem::path* FirstOfOneSet(const std::vector<std::filesystem::path>& files);

}  // namespace gptoss
