#include "hub/hash_front.h"

#include <fmt/format.h>

#include <algorithm>

namespace gptoss::hub {
namespace {

constexpr std::uint64_t kStep = 16 * kExtentBytes;  // then it looks whether it should stop

// What to hash next: [begin, end) of live bytes, or one extent that has to be proved first.
struct Piece {
  std::uint64_t begin = 0, end = 0;
  std::optional<Extent> to_prove;
};

Piece NextPiece(const FileTask& file) {
  Piece piece{.begin = file.hashed, .end = file.held.RunEnd(file.hashed)};
  // Ends where a block may begin: what was written last is then met in memory.
  piece.end = std::min(piece.end, (file.hashed / kBlockBytes + 1) * kBlockBytes);
  const auto next = file.unverified.lower_bound(file.hashed);
  if (next == file.unverified.end()) return piece;
  if (next->first == file.hashed) {
    piece.to_prove = next->second;
    piece.end = file.hashed + next->second.length;
  } else {
    piece.end = std::min(piece.end, next->first);
  }
  return piece;
}

// The bytes kept from an earlier process are not what they were: they are fetched again.
void Disprove(FileTask& file, const Extent& extent) {
  file.unverified.erase(extent.offset);
  file.held.Remove({extent.offset, extent.offset + extent.length});
  file.partial->Forget(extent.offset, extent.length);
}

std::string DifferingRanges(const std::vector<std::uint64_t>& first, const std::vector<std::uint64_t>& second,
                            std::uint64_t size) {
  RangeSet differing;
  for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
    if (first[i] != second[i]) {
      differing.Add({i * kExtentBytes, std::min<std::uint64_t>(size, (i + 1) * kExtentBytes)});
    }
  }
  const auto ranges = differing.Ranges();
  if (ranges.empty()) {
    return "both copies had the same bytes, so that server has another file than the listing says";
  }
  std::string text;
  for (std::size_t i = 0; i < ranges.size() && i < 4; ++i) {
    text += fmt::format("{}{}-{}", i == 0 ? "" : ", ", ranges[i].begin, ranges[i].end - 1);
  }
  if (ranges.size() > 4) text += fmt::format(" and {} more ranges", ranges.size() - 4);
  return fmt::format(
      "the two copies differed within the bytes {}, so something between changes what it carries", text);
}

// One sum per kExtentBytes of a whole copy, to be held against those of the other copy. Only needed when a
// hash was wrong, so it is read again then instead of summed always.
Result<std::vector<std::uint64_t>> SumsOf(TransferState& state, const FileTask& file) {
  std::vector<std::uint64_t> sums;
  std::vector<std::byte> buffer(kExtentBytes);
  for (std::uint64_t at = 0; at < file.size(); at += kExtentBytes) {
    {
      const std::lock_guard lock(state.mutex);
      if (state.stop) return Fail(ErrorCode::kCancelled, "cancelled; what has come is kept");
    }
    const auto bytes =
        std::span(buffer).first(static_cast<std::size_t>(std::min(kExtentBytes, file.size() - at)));
    GPTOSS_CHECK_OK(file.partial->Read(at, bytes));
    sums.push_back(ByteSum::Of(bytes));
  }
  return sums;
}

// All bytes are hashed. Without the lock.
void Finish(TransferState& state, FileTask& file) {
  const bool right = file.hasher->Finish() == file.job.file.hash;
  if (right) {
    const Status published = file.partial->Publish();
    const std::lock_guard lock(state.mutex);
    if (!published) return state.FailWith(published.error());
    file.phase = FileTask::Phase::kDone;
    file.partial.reset();
    file.lock.reset();
    ++state.done_files;
    return;
  }
  auto sums = SumsOf(state, file);
  const std::lock_guard lock(state.mutex);
  if (!sums) return state.FailWith(std::move(sums).error());
  std::string host = "the server";
  if (file.location) {
    if (const auto url = net::ParseUrl(file.location->url)) host = url->host;
  }
  if (file.partial->copy() >= 2) {
    const std::string where = DifferingRanges(file.partial->first_sums(), *sums, file.size());
    file.partial->Drop();
    return state.FailWith(
        {ErrorCode::kDataLoss,
         fmt::format("{} came from {} with a wrong hash twice; {}. Nothing was installed from it; try again "
                     "later or over another network",
                     file.job.file.path, host, where)});
  }
  state.Notice(
      fmt::format("{} came from {} with a wrong hash; fetching it once more", file.job.file.path, host));
  file.held.Clear();
  file.unverified.clear();
  state.recent.Forget(&file);
  file.location.reset();
  file.fresh = true;
  file.hashed = 0;
  file.hasher = std::make_unique<ContentHasher>(file.job.file.hash.is_sha256(), file.size());
  if (Status status = file.partial->StartSecondCopy(std::move(*sums)); !status) {
    state.FailWith(std::move(status).error());
  }
}

}  // namespace

FileTask* NextToHash(TransferState& state) {
  for (const auto& file : state.files) {
    if (file->phase != FileTask::Phase::kActive || file->hashing) continue;
    const std::uint64_t ready = file->held.RunEnd(file->hashed) - file->hashed;
    const bool all = file->held.bytes() == file->size();
    if ((all && file->flights.empty()) || ready >= kHashBehind) return file.get();
  }
  return nullptr;
}

void HashFurther(TransferState& state, FileTask& file) {
  std::vector<std::byte> buffer;
  std::uint64_t done = 0;
  for (;;) {
    Piece piece;
    {
      const std::lock_guard lock(state.mutex);
      if (state.stop || done >= kStep) return;
      piece = NextPiece(file);
      if (piece.begin == file.size() && file.flights.empty()) break;
      if (piece.begin == piece.end) return;
    }
    if (BlockPointer block = piece.to_prove ? nullptr : state.recent.Claim(&file, piece.begin)) {
      file.hasher->Update(block->bytes());
      done += block->size();
      const std::lock_guard lock(state.mutex);
      file.hashed = block->end();
      state.recent.GiveBack(std::move(block));
      state.room.notify_all();
      continue;
    }
    buffer.resize(kExtentBytes);
    const auto bytes = std::span(buffer).first(static_cast<std::size_t>(piece.end - piece.begin));
    if (Status status = file.partial->Read(piece.begin, bytes); !status) {
      const std::lock_guard lock(state.mutex);
      return state.FailWith(std::move(status).error());
    }
    if (piece.to_prove && ByteSum::Of(bytes) != piece.to_prove->sum) {
      const std::lock_guard lock(state.mutex);
      return Disprove(file, *piece.to_prove);
    }
    file.hasher->Update(bytes);
    done += bytes.size();
    const std::lock_guard lock(state.mutex);
    file.hashed = piece.end;
    if (piece.to_prove) file.unverified.erase(piece.to_prove->offset);
  }
  Finish(state, file);
}

}  // namespace gptoss::hub
