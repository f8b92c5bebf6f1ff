// Reading what a person types or pipes in.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss::cli {

// Everything until the end of `descriptor`, at most `max_bytes` (kOutOfRange beyond).
Result<std::string> ReadAll(int descriptor, std::size_t max_bytes = std::size_t{64} << 20);

// A file that the command line names. All errors are kInvalidArgument: naming it was bad use.
Result<std::string> ReadUserFile(const std::string& path);

// The prompt of `run`: the argument, then an empty line, then what was piped in; either one alone if the
// other is empty. Trailing newlines of piped text are dropped, invalid UTF-8 becomes U+FFFD. Empty: there is
// none.
std::string JoinPrompt(std::string_view argument, std::string_view piped);

// Lines from a descriptor, told apart from interrupts. Not thread-safe.
class LineReader {
 public:
  enum class Event { kLine, kEnd, kInterrupt };
  // `wake_descriptor`: becomes readable when the reader shall return kInterrupt; -1: none.
  LineReader(int descriptor, int wake_descriptor) : descriptor_(descriptor), wake_(wake_descriptor) {}

  // kLine: `line` without its newline. The last line of the input needs none.
  // kEnd: the input has ended, or cannot be read (status()).
  Event Next(std::string& line);
  Status status() const;

 private:
  bool TakeLine(std::string& line);
  int descriptor_;
  int wake_;
  std::string buffer_;
  std::size_t searched_ = 0;  // so much of the buffer has no newline: long lines cost no second look
  bool ended_ = false;
  int failure_ = 0;  // errno
};

}  // namespace gptoss::cli
