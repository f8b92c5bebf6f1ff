#include "mcp/event_stream.h"

#include <utility>

namespace gptoss::mcp {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{32} << 20;

}  // namespace

void EventStream::Line(std::string_view line, const OnData& on_data) {
  if (line.empty()) {
    if (std::exchange(has_data_, false)) on_data(std::exchange(data_, {}));
    return;
  }
  constexpr std::string_view kData = "data";
  if (!line.starts_with(kData)) return;
  line.remove_prefix(kData.size());
  if (!line.empty() && line.front() != ':') return;
  if (!line.empty()) line.remove_prefix(1);
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += line;
  has_data_ = true;
}

// Lines end in \n, \r\n or \r.
Status EventStream::Push(std::string_view bytes, const OnData& on_data) {
  for (const char c : bytes) {
    const bool second_half = std::exchange(after_return_, c == '\r') && c == '\n';
    if (second_half) continue;
    if (c == '\n' || c == '\r') {
      Line(std::exchange(held_, {}), on_data);
      continue;
    }
    held_ += c;
    if (held_.size() + data_.size() > kMaxBytes)
      return Fail(ErrorCode::kOutOfRange, "an event larger than 32 MiB");
  }
  return {};
}

void EventStream::Finish(const OnData& on_data) {
  if (!held_.empty()) Line(std::exchange(held_, {}), on_data);
  Line("", on_data);
}

}  // namespace gptoss::mcp
