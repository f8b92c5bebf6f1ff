// Bytes as they come from a pipe -> lines.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss::net {

// One thread. Lines end in \n or \r\n and come without that; blank lines are left out.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  using OnLine = std::function<void(std::string_view line)>;
  // kOutOfRange: a line is longer than allowed; nothing more can be read then.
  Status Push(std::string_view bytes, const OnLine& on_line);
  // The end of the input: a last line without its end is a line.
  void Finish(const OnLine& on_line);

 private:
  const std::size_t max_bytes_;
  std::string held_;  // a line that has not ended yet
};

}  // namespace gptoss::net
