// Ends an answer before the first of some strings, although they come in pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gptoss {

constexpr std::size_t kMaxStopStrings = 16;
constexpr std::size_t kMaxStopStringBytes = 256;
// kInvalidArgument: too many, too long, an empty one.
Status CheckStopStrings(const std::vector<std::string>& stops);

// Not thread-safe. Holds back only what may still become a stop string.
class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // What may be shown after `text` was added. Once found() nothing comes any more.
  std::string Push(std::string_view text);
  // No more text: what was held back. Cut at a character's boundary, as whole strings were held back.
  std::string Finish();
  bool found() const { return found_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace gptoss
