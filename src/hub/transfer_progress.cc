#include "hub/transfer_progress.h"

#include <algorithm>

namespace gptoss::hub {
namespace {

using Phase = FileTask::Phase;

constexpr std::size_t kMostInFlight = 16;

// What the figures do not show.
struct Signs {
  bool hashing = false, waiting = false, failing = false;
};

std::string StateOf(const TransferState& state, const TransferProgress& progress, const Signs& signs) {
  if (state.paused) return "paused";
  if (progress.connections > 0) return "downloading";
  if (signs.hashing) return "verifying";
  if (signs.waiting) return "waiting for another process";
  return signs.failing ? "waiting" : "downloading";
}

}  // namespace

TransferProgress AddUp(const TransferState& state) {
  TransferProgress progress;
  Signs signs;
  const FileTask* shown = nullptr;
  for (const auto& file : state.files) {
    const auto copies = static_cast<std::uint64_t>(file->copies);
    const int connections = static_cast<int>(file->flights.size());
    progress.files_total += file->copies;
    progress.resumed_bytes += file->resumed_bytes * copies;
    progress.connections += connections;
    if (file->phase == Phase::kDone) {
      progress.files_done += file->copies;
      progress.done_bytes += file->size() * copies;
      continue;
    }
    std::uint64_t done = file->phase == Phase::kActive ? file->held.bytes() : file->others_bytes;
    for (const Flight* flight : file->flights) done += flight->buffered;
    done = std::min(done, file->size());  // two connections may have brought the same bytes
    progress.done_bytes += done * copies;
    signs.hashing = signs.hashing || file->hashing;
    signs.waiting = signs.waiting || file->waiting;
    const bool better = shown == nullptr || (shown->flights.empty() && connections > 0);
    if (better && (file->phase == Phase::kActive || file->waiting)) shown = file.get();
    const bool at_work = connections > 0 || (file->hashing && done == file->size());
    if (at_work && progress.in_flight.size() < kMostInFlight) {
      progress.in_flight.push_back({file->job.file.path, file->size(), done, connections});
    }
  }
  if (shown != nullptr) {
    progress.file = shown->job.file.path;
    signs.failing = shown->failures > 0;
  }
  progress.state = StateOf(state, progress, signs);
  return progress;
}

}  // namespace gptoss::hub
