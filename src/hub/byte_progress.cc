#include "hub/byte_progress.h"

namespace gptoss::hub {
namespace {
constexpr auto kBetween = std::chrono::milliseconds(100);
constexpr auto kProgressWindow = std::chrono::seconds(3);  // the speed is that of the last seconds
}  // namespace

ByteProgress::ByteProgress(std::uint64_t total_bytes, std::string state, ProgressObserver observer)
    : observer_(std::move(observer)), told_(Clock::now()) {
  progress_.total_bytes = total_bytes;
  progress_.state = std::move(state);
  window_.emplace_back(told_, 0);
}

void ByteProgress::SetFile(std::string file) {
  const std::lock_guard lock(mutex_);
  progress_.file = std::move(file);
}

void ByteProgress::Add(std::uint64_t bytes) {
  TransferProgress told;
  {
    const std::lock_guard lock(mutex_);
    progress_.done_bytes += bytes;
    const Clock::time_point now = Clock::now();
    if (!observer_ || (now - told_ < kBetween && progress_.done_bytes < progress_.total_bytes)) return;
    told_ = now;
    window_.emplace_back(now, progress_.done_bytes);
    while (window_.size() > 2 && now - window_.front().first > kProgressWindow) window_.pop_front();
    const double seconds = std::chrono::duration<double>(now - window_.front().first).count();
    if (seconds > 0)
      progress_.bytes_per_second =
          static_cast<double>(progress_.done_bytes - window_.front().second) / seconds;
    if (progress_.bytes_per_second > 0 && progress_.done_bytes <= progress_.total_bytes)
      progress_.eta_seconds =
          static_cast<double>(progress_.total_bytes - progress_.done_bytes) / progress_.bytes_per_second;
    told = progress_;
  }
  observer_(told);
}

}  // namespace gptoss::hub
