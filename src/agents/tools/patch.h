// The patch format that GPT-OSS was trained to write:
//
//   *** Begin Patch
//   *** Update File: src/a.cc
//   *** Move to: src/b.cc            (optional)
//   @@ class A                       (optional: a line above the place)
//    context
//   -old
//   +new
//   *** Add File: c.txt
//   +all of it
//   *** Delete File: d.txt
//   *** End Patch
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gptoss::agents {

struct PatchHunk {
  std::vector<std::string> anchors;  // lines behind "@@", outermost first
  std::vector<std::string> before, after;
  bool at_end = false;  // "*** End of File"
};
struct FilePatch {
  enum class Kind { kAdd, kUpdate, kDelete } kind = Kind::kUpdate;
  std::string path;
  std::optional<std::string> move_to;
  std::string text;  // kAdd
  std::vector<PatchHunk> hunks;
};

// Errors (kInvalidArgument) name the line, so that the model can write it again.
Result<std::vector<FilePatch>> ParsePatch(std::string_view text);

// The content after the hunks, which are found in order: as they are written, else with trailing blanks left
// out, else with all blanks at both ends left out. kNotFound: what was looked for in vain.
Result<std::string> ApplyHunks(const std::string& content, const std::vector<PatchHunk>& hunks);

}  // namespace gptoss::agents
