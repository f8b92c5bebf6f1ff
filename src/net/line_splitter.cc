#include "net/line_splitter.h"

#include <fmt/format.h>

#include <utility>

namespace gptoss::net {
namespace {

void Pass(std::string_view line, const LineSplitter::OnLine& on_line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_not_of(" \t\r") != std::string_view::npos) on_line(line);
}

}  // namespace

Status LineSplitter::Push(std::string_view bytes, const OnLine& on_line) {
  while (true) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (held_.size() + piece.size() > max_bytes_) {
      held_.clear();
      return Fail(ErrorCode::kOutOfRange, fmt::format("a line is longer than {} bytes", max_bytes_));
    }
    if (end == std::string_view::npos) {
      held_ += piece;
      return {};
    }
    if (held_.empty()) {
      Pass(piece, on_line);
    } else {
      held_ += piece;
      Pass(std::exchange(held_, {}), on_line);
    }
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::Finish(const OnLine& on_line) { Pass(std::exchange(held_, {}), on_line); }

}  // namespace gptoss::net
