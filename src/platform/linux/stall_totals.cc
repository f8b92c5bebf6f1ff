#include "platform/linux/stall_totals.h"

#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

namespace gptoss {

std::optional<StallTotals> ReadStallTotals(const std::filesystem::path& file) {
  std::ifstream in(file);
  StallTotals totals;
  bool some = false, all = false;
  for (std::string line; std::getline(in, line);) {
    constexpr std::string_view kTotal = "total=";
    const std::size_t at = line.find(kTotal);
    if (at == std::string::npos) continue;
    std::uint64_t value = 0;
    const char* begin = line.data() + at + kTotal.size();
    if (std::from_chars(begin, line.data() + line.size(), value).ec != std::errc()) continue;
    if (line.starts_with("some ")) {
      totals.some = value;
      some = true;
    } else if (line.starts_with("full ")) {
      totals.all = value;
      all = true;
    }
  }
  return some && all ? std::optional(totals) : std::nullopt;
}

void StallHistory::Observe(const std::optional<StallTotals>& totals, Clock::time_point now) {
  if (!totals) return samples_.clear();
  samples_.push_back({*totals, now});
  while (samples_.size() > 2 && samples_[1].at <= now - kWindow) samples_.pop_front();
}

}  // namespace gptoss
