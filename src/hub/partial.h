// One partial blob on the disk: `<hash>.gptoss-part` and `<hash>.gptoss-journal` beside the blob's place.
// Opened under the blob's lock only.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "hub/journal.h"
#include "hub/transfer.h"

namespace gptoss::hub {

// Write and Read are safe from any thread as long as ranges written at once are disjoint; Record, Sync and
// the rest lock inside. Errors: kResourceExhausted (disk full, quota, file limit), kPermissionDenied,
// kUnavailable.
class Partial {
 public:
  // What an earlier process left is taken over as far as its journal goes; its bytes are checked when they
  // are hashed. `exclusive`: the lock excludes others; else the partial gets a name of its own, taken by
  // renaming, so that two processes never write into one file.
  static Result<std::unique_ptr<Partial>> Open(const BlobJob& job, bool exclusive);
  ~Partial();
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;

  const std::vector<Extent>& resumed() const { return resumed_; }
  int copy() const { return journal_.copy; }
  const std::vector<std::uint64_t>& first_sums() const { return journal_.first_sums; }
  std::string etag_origin() const { return journal_.etag_origin; }
  std::string etag() const { return journal_.etag; }

  // Sets the disk space aside.
  Status Reserve();
  Status Write(std::uint64_t offset, std::span<const std::byte> bytes);
  Status Read(std::uint64_t offset, std::span<std::byte> bytes) const;
  // The bytes of this extent have been written. Appended to the journal.
  Status Record(const Extent& extent);
  // These bytes turned out to be damaged.
  void Forget(std::uint64_t offset, std::uint64_t length);
  Status RememberEtag(const std::string& origin, const std::string& etag);
  // The first copy was wrong: forgets all bytes, keeps the sums of that copy.
  Status StartSecondCopy(std::vector<std::uint64_t> first_sums);
  // Makes what was recorded durable: data, then journal. Nothing to do: returns at once.
  Status Sync();
  std::uint64_t unsynced_bytes() const { return unsynced_.load(); }
  // To the blob's name, durable, with the usual mode. The caller has checked the hash.
  Status Publish();
  // Removes both files.
  void Drop();

 private:
  explicit Partial(const BlobJob& job) : job_(job) {}
  Status OpenFolder();
  void ClaimNames(bool exclusive);
  void ReadJournal();
  Status OpenData();
  // All of it, in place of the old one. Not durable: the next Sync makes it so, and nobody waits for the
  // disk.
  Status WriteJournal(bool durable);
  Error DiskError(const char* doing, int error) const;

  const BlobJob job_;
  std::string part_name_, journal_name_;
  std::string shared_part_,
      shared_journal_;  // names of everybody; differ from the above where locks are void
  int folder_ = -1, data_ = -1, log_ = -1;
  std::mutex mutex_;
  Journal journal_;
  std::vector<Extent> resumed_;
  std::atomic<std::uint64_t> unsynced_{0};
  bool gone_ = false;  // published or dropped
};

// Bytes that a partial's journal speaks of, for somebody who does not own it.
std::uint64_t BytesInJournal(const BlobJob& job);
// What the file system has given to a partial, written or not; 0 if there is none.
std::uint64_t BytesSetAside(const BlobJob& job);
// The blob is there: a regular file (also behind the links of a shared store) of the right size.
bool BlobIsThere(const BlobJob& job);
// Is there a partial or a journal of this file? A process that was killed just after it had published the
// file leaves a journal alone.
bool HasLeftovers(const BlobJob& job);
// Removes partials, journals and what crashes left of them. Under the blob's lock.
Status RemoveLeftovers(const BlobJob& job);

}  // namespace gptoss::hub
