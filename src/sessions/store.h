// Conversations on disk: SQLite in WAL mode. Every call is one transaction, so that a process that is killed
// at any moment loses at most the call under way. Machines that lose power may lose the last few seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "harmony/conversation.h"

struct sqlite3;

namespace gptoss {

class Statement;

struct StoredSession {
  std::string id;
  std::string folder;                     // absolute
  std::vector<std::string> more_folders;  // absolute
  std::string title;                      // "": none yet
  std::string mode;
  std::vector<std::pair<std::string, std::string>> options;
  std::int64_t created_ms = 0, updated_ms = 0;       // since 1970
  std::uint64_t context_used = 0, context_size = 0;  // tokens
  bool turn_open = false;                            // a turn began and did not end: the process died in it
};

struct SessionPage {
  std::vector<StoredSession> sessions;  // newest first
  std::string next_cursor;              // "": these were the last
};

// Safe from any thread; calls take turns. Errors: kNotFound (no such session), kDataLoss (the file is
// damaged; the message names it), kUnavailable (another process holds it for seconds), kResourceExhausted
// (disk full).
class SessionStore {
 public:
  // Makes the file and its folders (private to the user) where they are missing. "": in memory only. A file
  // of up to 32 MiB is looked through for damage. kPermissionDenied: it cannot be written. kUnsupported: a
  // newer gptoss wrote it.
  static Result<std::unique_ptr<SessionStore>> Open(const std::filesystem::path& file);
  ~SessionStore();
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;

  Status Create(const StoredSession& session);
  Result<StoredSession> Find(std::string_view id);
  // Everything but the times, which are set by what changes the session. `touch`: it becomes the newest.
  Status Update(const StoredSession& session, bool touch);
  Status Delete(std::string_view id);  // of one that is not there: nothing
  // `folder`: only sessions of exactly that folder. `cursor`: of the page before; kInvalidArgument if it is
  // none of ours.
  Result<SessionPage> List(const std::optional<std::string>& folder, std::string_view cursor, int page_size);
  // Sessions untouched since then; with `only_empty` those that nobody ever wrote in. How many went.
  Result<int> Prune(std::int64_t untouched_since_ms, bool only_empty);

  // The transcript: texts of whoever keeps it, in the order of these calls. kNotFound: the session was
  // deleted.
  Status Append(std::string_view id, std::string_view item);
  Result<std::vector<std::string>> Transcript(std::string_view id);

  // The conversation that the model reads, with the ids of what it wrote. Only what differs is written. Ids
  // that are damaged are left out: a message is whole without them.
  Status SaveConversation(std::string_view id, const harmony::Conversation& conversation);
  Result<harmony::Conversation> LoadConversation(std::string_view id);

  // Permissions given for ever, by project (a folder) and rule (a text of whoever asks).
  Status Allow(std::string_view project, std::string_view rule);
  Result<bool> Allowed(std::string_view project, std::string_view rule);
  Result<std::vector<std::string>> Permissions(std::string_view project);  // the rules, in their own order
  Status ForgetPermissions(std::string_view project);

  Status SetDefault(std::string_view key, std::string_view value);
  Result<std::optional<std::string>> Default(std::string_view key);

 private:
  SessionStore(sqlite3* database, std::string name) : database_(database), name_(std::move(name)) {}
  struct MessageRow {
    std::string message, ids;
    bool operator==(const MessageRow&) const = default;
  };
  Status Prepare();
  Status MakeReady();
  Status Check();
  Result<std::int64_t> Version();
  Status Upgrade();
  Result<std::vector<MessageRow>> Messages(std::string_view id);  // with mutex_ held
  Result<std::vector<std::string>> Texts(Statement& query);       // its first column; with mutex_ held
  Status Execute(const char* sql);
  Error Failure() const;
  static Status Deleted();
  bool WaitWhileBusy(bool first);

  std::mutex mutex_;
  sqlite3* database_;
  std::chrono::milliseconds patience_{0};
  std::chrono::steady_clock::time_point busy_since_, no_patience_until_;
  const std::string name_;  // for messages
};

}  // namespace gptoss
