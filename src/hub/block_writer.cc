#include "hub/block_writer.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

namespace gptoss::hub {
namespace {

constexpr std::size_t kMostPending = 8;
// What comes in order waits for a hash that is further behind: else its bytes would have to be read back.
constexpr std::uint64_t kMostAhead = 6 * kFastBlockBytes;
constexpr std::chrono::milliseconds kLook{50};
// Larger writes make a file system take larger pages, and a virtual machine may have given the memory for
// those back to its host: 2 GB took 0.8 s in writes of 16 KB, 0.6 s in 64 KB when all went well and 2 s when
// not, and 2.6 to 5.3 s in 1 MB.
constexpr std::size_t kWriteBytes = 16 * 1024;

// Past the page cache (O_DIRECT) the same 2 GB took 2.49 s instead of 2.58 s, and the first load of a model
// then reads everything from the disk, ten seconds for 12 GB: tried and dropped.
Status WriteBlock(Partial& partial, const Block& block) {
  ByteSum sum;
  auto bytes = block.bytes();
  for (std::uint64_t offset = block.offset(); !bytes.empty();) {
    const auto piece = bytes.first(std::min(kWriteBytes, bytes.size()));
    GPTOSS_CHECK_OK(partial.Write(offset, piece));
    sum.Update(piece);
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return partial.Record({block.offset(), block.size(), sum.Value()});
}

// With the lock held. Told to the others, and kept for the hash if that is close behind.
void Count(TransferState& state, Flight& flight, BlockPointer block) {
  FileTask& file = *flight.file;
  file.held.Add({block->offset(), block->end()});
  if (block->end() <= file.hashed + kMostRecentBlocks * kFastBlockBytes) {
    state.recent.Keep(&file, std::move(block));
  } else {
    state.recent.GiveBack(std::move(block));
  }
  if (!file.hashing && file.held.RunEnd(file.hashed) - file.hashed >= kHashBehind) state.work.notify_one();
}

void WriteAndCount(TransferState& state, PendingBlock pending, std::unique_lock<std::mutex>& lock) {
  Flight& flight = *pending.flight;
  FileTask& file = *flight.file;
  const std::shared_ptr<Partial> partial = file.partial;
  file.being_written = true;
  lock.unlock();
  Status status = WriteBlock(*partial, *pending.block);
  lock.lock();
  file.being_written = false;
  flight.buffered -= pending.block->size();
  --flight.writing;
  if (status) {
    Count(state, flight, std::move(pending.block));
  } else {
    if (flight.written_status) flight.written_status = std::move(status);
    state.recent.GiveBack(std::move(pending.block));
  }
  state.room.notify_all();
  if (!state.pending.empty()) state.work.notify_one();
}

// Only while somebody hashes this very file, live bytes of it: anything else may take long, and a connection
// on which nothing moves is closed.
bool ShouldWait(const TransferState& state, const Flight& flight, const Block& block) {
  const FileTask& file = *flight.file;
  return file.hashing && file.unverified.empty() && file.flights.size() == 1 &&
         block.offset() > file.hashed + kMostAhead && !state.stop && !flight.stop.cancelled();
}

}  // namespace

void HandOver(TransferState& state, Flight& flight, BlockPointer block) {
  std::unique_lock lock(state.mutex);
  while (ShouldWait(state, flight, *block)) state.room.wait_for(lock, kLook);
  while (state.pending.size() >= kMostPending) {
    if (!WriteNext(state, lock)) state.room.wait(lock);
  }
  ++flight.writing;
  state.pending.push_back({&flight, std::move(block)});
  state.work.notify_one();
}

bool WriteNext(TransferState& state, std::unique_lock<std::mutex>& lock) {
  const auto next = std::ranges::find_if(
      state.pending, [](const PendingBlock& pending) { return !pending.flight->file->being_written; });
  if (next == state.pending.end()) return false;
  PendingBlock pending = std::move(*next);
  state.pending.erase(next);
  WriteAndCount(state, std::move(pending), lock);
  return true;
}

Status Drain(TransferState& state, Flight& flight) {
  std::unique_lock lock(state.mutex);
  while (flight.writing > 0) {
    if (!WriteNext(state, lock)) state.room.wait(lock);
  }
  return flight.written_status;
}

}  // namespace gptoss::hub
