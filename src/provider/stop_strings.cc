#include "provider/stop_strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gptoss {

Status CheckStopStrings(const std::vector<std::string>& stops) {
  if (stops.size() > kMaxStopStrings) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} stop strings; at most {}", stops.size(), kMaxStopStrings));
  }
  for (const std::string& stop : stops) {
    if (stop.empty()) return Fail(ErrorCode::kInvalidArgument, "a stop string is empty");
    if (stop.size() > kMaxStopStringBytes) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("a stop string has {} bytes; at most {}", stop.size(), kMaxStopStringBytes));
    }
  }
  return {};
}

std::string StopStrings::Push(std::string_view text) {
  if (found_) return {};
  if (stops_.empty()) return std::string(text);
  held_ += text;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, held_.find(stop));
  if (first != std::string::npos) {
    found_ = true;
    return std::exchange(held_, {}).substr(0, first);
  }
  // The longest end of `held_` that is a beginning of a stop string stays back.
  std::size_t keep = 0;
  for (const std::string& stop : stops_) {
    for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n) {
      if (std::string_view(held_).substr(held_.size() - n) == std::string_view(stop).substr(0, n)) {
        keep = n;
        break;
      }
    }
  }
  // Stop strings are whole characters, so is what comes in: a held beginning starts at a character, or inside
  // one that shares its first bytes with a stop string's; then the whole character is held.
  std::size_t cut = held_.size() - keep;
  while (cut > 0 && cut < held_.size() && (static_cast<unsigned char>(held_[cut]) & 0xC0) == 0x80) --cut;
  std::string shown = held_.substr(0, cut);
  held_.erase(0, cut);
  return shown;
}

std::string StopStrings::Finish() { return found_ ? std::string() : std::exchange(held_, {}); }

}  // namespace gptoss
