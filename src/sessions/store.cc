#include "sessions/store.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <charconv>
#include <iterator>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "sessions/statement.h"
#include "sessions/token_blob.h"

namespace gptoss {
namespace {

constexpr int kSchema = 2;
// Transactions take milliseconds: who holds the file for longer than this goes on holding it, and a cancel
// and the end of the program wait behind this wait.
constexpr auto kBusyPatience = std::chrono::milliseconds(400);
constexpr auto kOpenBusyPatience =
    std::chrono::milliseconds(2000);                   // what was held is in memory from then on
constexpr auto kNoPatience = std::chrono::seconds(5);  // after such a wait the next calls do not wait
// A file of this size is looked through in 0.1 s; larger ones show their damage where it is met.
constexpr std::uintmax_t kCheckedBytes = 32 << 20;
constexpr const char* kTables = R"(
CREATE TABLE IF NOT EXISTS sessions (
  id TEXT PRIMARY KEY, folder TEXT NOT NULL, more_folders TEXT NOT NULL, title TEXT NOT NULL, mode TEXT NOT NULL,
  options TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, context_used INTEGER NOT NULL,
  context_size INTEGER NOT NULL, turn_open INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_time ON sessions (updated DESC, id);
CREATE INDEX IF NOT EXISTS sessions_by_folder ON sessions (folder, updated DESC, id);
CREATE TABLE IF NOT EXISTS transcript (
  session TEXT NOT NULL, number INTEGER NOT NULL, item TEXT NOT NULL, PRIMARY KEY (session, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  session TEXT NOT NULL, number INTEGER NOT NULL, message TEXT NOT NULL, ids BLOB,
  PRIMARY KEY (session, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS permissions (
  project TEXT NOT NULL, rule TEXT NOT NULL, PRIMARY KEY (project, rule)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS defaults (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)";
// From schema 1 to 2, and so on. An empty file gets the newest at once.
constexpr const char* kUpgrades[] = {"ALTER TABLE messages ADD COLUMN ids BLOB"};
static_assert(std::size(kUpgrades) == kSchema - 1);
// What every call relies on.
constexpr const char* kProbes[] = {
    "SELECT session, number, item FROM transcript", "SELECT session, number, message, ids FROM messages",
    "SELECT project, rule FROM permissions", "SELECT key, value FROM defaults"};
constexpr std::string_view kColumns =
    "id, folder, more_folders, title, mode, options, created, updated, context_used, context_size, turn_open";

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string FoldersJson(const std::vector<std::string>& folders) { return DumpJson(Json(folders)); }
std::string OptionsJson(const StoredSession& session) {
  Json json = Json::object();
  for (const auto& [key, value] : session.options) json[key] = value;
  return DumpJson(json);
}

StoredSession ReadRow(const Statement& row) {
  StoredSession session;
  session.id = row.Text(0);
  session.folder = row.Text(1);
  // Most have none: a list of many sessions is mostly these.
  if (const std::string text = row.Text(2); text != "[]") {
    const auto folders = ParseJson(text);
    if (folders && folders->is_array()) {
      for (const Json& folder : *folders) {
        if (folder.is_string()) session.more_folders.push_back(folder.get<std::string>());
      }
    }
  }
  session.title = row.Text(3);
  session.mode = row.Text(4);
  if (const auto options = ParseJson(row.Text(5)); options && options->is_object()) {
    for (const auto& [key, value] : options->items()) {
      if (value.is_string()) session.options.emplace_back(key, value.get<std::string>());
    }
  }
  session.created_ms = row.Number(6);
  session.updated_ms = row.Number(7);
  session.context_used = static_cast<std::uint64_t>(row.Number(8));
  session.context_size = static_cast<std::uint64_t>(row.Number(9));
  session.turn_open = row.Number(10) != 0;
  return session;
}

// Where a page ended: the time and the id of its last session.
std::string CursorAfter(const StoredSession& last) { return fmt::format("{}.{}", last.updated_ms, last.id); }
Result<std::pair<std::int64_t, std::string>> ReadCursor(std::string_view cursor) {
  std::int64_t time = 0;
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), time);
  const auto used = static_cast<std::size_t>(end - cursor.data());
  if (error != std::errc() || used >= cursor.size() || cursor[used] != '.')
    return Fail(ErrorCode::kInvalidArgument, "cursor: expected the nextCursor of an earlier answer");
  return std::pair(time, std::string(cursor.substr(used + 1)));
}

}  // namespace

Error SessionStore::Failure() const {
  ErrorCode code = ErrorCode::kInternal;
  switch (sqlite3_errcode(database_)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      code = ErrorCode::kUnavailable;
      break;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      code = ErrorCode::kResourceExhausted;
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      code = ErrorCode::kDataLoss;
      break;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      code = ErrorCode::kPermissionDenied;
      break;
    default:
      break;
  }
  return {code, fmt::format("{}: {}", name_, sqlite3_errmsg(database_))};
}

Status SessionStore::Execute(const char* sql) {
  if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return std::unexpected(Failure());
  return {};
}

Result<std::unique_ptr<SessionStore>> SessionStore::Open(const std::filesystem::path& file) {
  if (!file.empty()) GPTOSS_CHECK_OK(CreatePrivateFolders(file.parent_path()));
  sqlite3* database = nullptr;
  const std::string name = file.empty() ? ":memory:" : file.string();
  const mode_t mask = ::umask(0077);  // what people wrote is theirs alone
  const int opened = sqlite3_open_v2(
      name.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SessionStore> store(new SessionStore(database, name));
  Status prepared;
  if (opened != SQLITE_OK) {
    prepared = std::unexpected(store->Failure());
  } else {
    prepared = store->Prepare();
  }
  ::umask(mask);
  if (!prepared) return std::unexpected(std::move(prepared).error());
  return store;
}

Status SessionStore::Prepare() {
  patience_ = kOpenBusyPatience;
  sqlite3_busy_handler(
      database_,
      [](void* self, int count) {
        return static_cast<SessionStore*>(self)->WaitWhileBusy(count == 0) ? 1 : 0;
      },
      this);
  Status ready = MakeReady();
  if (ready) ready = Check();
  // Closing would clean up its log: files that are none of ours are left as they are.
  if (!ready) sqlite3_db_config(database_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  patience_ = kBusyPatience;
  return ready;
}

// Called by SQLite again and again while another holds the file; false: enough. With mutex_ held, as every
// use of the database.
bool SessionStore::WaitWhileBusy(bool first) {
  const auto now = std::chrono::steady_clock::now();
  if (now < no_patience_until_) return false;
  if (first) busy_since_ = now;
  if (now - busy_since_ >= patience_) {
    no_patience_until_ = now + kNoPatience;
    return false;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return true;
}

Status SessionStore::MakeReady() {
  GPTOSS_CHECK_OK(Execute("PRAGMA journal_mode=WAL"));
  // In WAL mode this survives every death of a process; only a machine's may cost the last transactions.
  GPTOSS_CHECK_OK(Execute("PRAGMA synchronous=NORMAL"));
  if (sqlite3_db_readonly(database_, "main") == 1)
    return Fail(ErrorCode::kPermissionDenied, fmt::format("{} may not be written to", name_));
  GPTOSS_TRY(const std::int64_t version, Version());
  if (version > kSchema)
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} was written by a newer gptoss; update this one", name_));
  if (version < 0) return Fail(ErrorCode::kDataLoss, fmt::format("{}: its version is {}", name_, version));
  // Of the right version as well: that it can be written to just now.
  GPTOSS_CHECK_OK(Execute("BEGIN IMMEDIATE"));
  const Status made = Upgrade();
  if (!made) {
    static_cast<void>(Execute("ROLLBACK"));
    return made;
  }
  return Execute("COMMIT");
}

// That it is a store of ours, and whole as far as that can be seen at once.
Status SessionStore::Check() {
  std::vector<std::string> probes(std::begin(kProbes), std::end(kProbes));
  probes.push_back(fmt::format("SELECT {} FROM sessions", kColumns));
  for (const std::string& sql : probes) {
    const Statement probe(database_, sql);
    if (!probe.ok())
      return Fail(ErrorCode::kDataLoss, fmt::format("{}: {}", name_, sqlite3_errmsg(database_)));
  }
  std::error_code none;
  if (const std::uintmax_t size = std::filesystem::file_size(name_, none); none || size > kCheckedBytes)
    return {};
  Statement check(database_, "PRAGMA quick_check(1)");
  if (!check.Step()) return std::unexpected(Failure());
  if (const std::string found = check.Text(0); found != "ok")
    return Fail(ErrorCode::kDataLoss, fmt::format("{}: {}", name_, found));
  return {};
}

Result<std::int64_t> SessionStore::Version() {
  Statement query(database_, "PRAGMA user_version");
  if (!query.Step()) return std::unexpected(Failure());
  return query.Number(0);
}

// In a transaction. Another process may have done it while this one waited.
Status SessionStore::Upgrade() {
  GPTOSS_TRY(std::int64_t version, Version());
  if (version == kSchema) return {};
  if (version == 0) {
    GPTOSS_CHECK_OK(Execute(kTables));
    version = kSchema;
  }
  for (; version < kSchema; ++version) GPTOSS_CHECK_OK(Execute(kUpgrades[version - 1]));
  return Execute(fmt::format("PRAGMA user_version={}", version).c_str());
}

SessionStore::~SessionStore() { sqlite3_close_v2(database_); }

Status SessionStore::Create(const StoredSession& session) {
  std::lock_guard lock(mutex_);
  const std::int64_t now = NowMs();
  Statement insert(database_,
                   fmt::format("INSERT INTO sessions ({}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", kColumns));
  insert.Bind(session.id).Bind(session.folder).Bind(FoldersJson(session.more_folders)).Bind(session.title);
  insert.Bind(session.mode).Bind(OptionsJson(session)).Bind(now).Bind(now);
  insert.Bind(static_cast<std::int64_t>(session.context_used))
      .Bind(static_cast<std::int64_t>(session.context_size));
  insert.Bind(std::int64_t{session.turn_open});
  insert.Step();
  if (!insert.ok()) return std::unexpected(Failure());
  return {};
}

Result<StoredSession> SessionStore::Find(std::string_view id) {
  std::lock_guard lock(mutex_);
  Statement query(database_, fmt::format("SELECT {} FROM sessions WHERE id=?", kColumns));
  query.Bind(id);
  if (query.Step()) return ReadRow(query);
  if (!query.ok()) return std::unexpected(Failure());
  return Fail(ErrorCode::kNotFound, fmt::format("there is no session {}", Excerpt(id, kMessageBytes)));
}

Status SessionStore::Update(const StoredSession& session, bool touch) {
  std::lock_guard lock(mutex_);
  Statement update(
      database_,
      "UPDATE sessions SET folder=?, more_folders=?, title=?, mode=?, options=?, context_used=?, "
      "context_size=?, turn_open=?, updated=max(updated,?) WHERE id=?");
  update.Bind(session.folder).Bind(FoldersJson(session.more_folders)).Bind(session.title).Bind(session.mode);
  update.Bind(OptionsJson(session)).Bind(static_cast<std::int64_t>(session.context_used));
  update.Bind(static_cast<std::int64_t>(session.context_size)).Bind(std::int64_t{session.turn_open});
  update.Bind(touch ? NowMs() : 0).Bind(session.id);
  update.Step();
  if (!update.ok()) return std::unexpected(Failure());
  if (update.changes() == 0)
    return Fail(ErrorCode::kNotFound, fmt::format("there is no session {}", session.id));
  return {};
}

namespace {

// Runs one statement for each table that a session is in.
constexpr const char* kDeletes[] = {"DELETE FROM transcript WHERE session=?",
                                    "DELETE FROM messages WHERE session=?",
                                    "DELETE FROM sessions WHERE id=?"};

}  // namespace

Status SessionStore::Delete(std::string_view id) {
  std::lock_guard lock(mutex_);
  GPTOSS_CHECK_OK(Execute("BEGIN IMMEDIATE"));
  for (const char* sql : kDeletes) {
    Statement remove(database_, sql);
    remove.Bind(id).Step();
    if (remove.ok()) continue;
    const Error failure = Failure();
    static_cast<void>(Execute("ROLLBACK"));
    return std::unexpected(failure);
  }
  return Execute("COMMIT");
}

Result<SessionPage> SessionStore::List(const std::optional<std::string>& folder, std::string_view cursor,
                                       int page_size) {
  std::string where = folder ? "folder=?" : "1";
  std::pair<std::int64_t, std::string> after;
  if (!cursor.empty()) {
    GPTOSS_TRY(after, ReadCursor(cursor));
    where += " AND updated<=? AND (updated<? OR id>?)";
  }
  std::lock_guard lock(mutex_);
  Statement query(database_, fmt::format("SELECT {} FROM sessions WHERE {} ORDER BY updated DESC, id LIMIT ?",
                                         kColumns, where));
  if (folder) query.Bind(*folder);
  if (!cursor.empty()) query.Bind(after.first).Bind(after.first).Bind(after.second);
  query.Bind(std::int64_t{page_size} + 1);  // one more, to know whether it goes on
  SessionPage page;
  while (query.Step()) page.sessions.push_back(ReadRow(query));
  if (!query.ok()) return std::unexpected(Failure());
  if (page.sessions.size() > static_cast<std::size_t>(page_size)) {
    page.sessions.pop_back();
    page.next_cursor = CursorAfter(page.sessions.back());
  }
  return page;
}

Result<int> SessionStore::Prune(std::int64_t untouched_since_ms, bool only_empty) {
  std::vector<std::string> old;
  {
    std::lock_guard lock(mutex_);
    Statement query(
        database_,
        fmt::format("SELECT id FROM sessions WHERE updated<? {}",
                    only_empty ? "AND NOT EXISTS (SELECT 1 FROM transcript WHERE session=id)" : ""));
    query.Bind(untouched_since_ms);
    while (query.Step()) old.push_back(query.Text(0));
    if (!query.ok()) return std::unexpected(Failure());
  }
  for (const std::string& id : old) GPTOSS_CHECK_OK(Delete(id));
  return static_cast<int>(old.size());
}

Status SessionStore::Append(std::string_view id, std::string_view item) {
  std::lock_guard lock(mutex_);
  Statement insert(
      database_,
      "INSERT INTO transcript (session, number, item) SELECT ?1, (SELECT coalesce(max(number),0)+1 "
      "FROM transcript WHERE session=?1), ?2 WHERE EXISTS (SELECT 1 FROM sessions WHERE id=?1)");
  insert.Bind(id).Bind(item).Step();
  if (!insert.ok()) return std::unexpected(Failure());
  if (insert.changes() == 0) return Deleted();
  return {};
}

Status SessionStore::Deleted() {
  return Fail(ErrorCode::kNotFound, "the session was deleted, here or by another program");
}

Result<std::vector<std::string>> SessionStore::Transcript(std::string_view id) {
  std::lock_guard lock(mutex_);
  Statement query(database_, "SELECT item FROM transcript WHERE session=? ORDER BY number");
  query.Bind(id);
  return Texts(query);
}

Result<std::vector<std::string>> SessionStore::Texts(Statement& query) {
  std::vector<std::string> texts;
  while (query.Step()) texts.push_back(query.Text(0));
  if (!query.ok()) return std::unexpected(Failure());
  return texts;
}

Result<std::vector<SessionStore::MessageRow>> SessionStore::Messages(std::string_view id) {
  Statement query(database_, "SELECT message, ids FROM messages WHERE session=? ORDER BY number");
  query.Bind(id);
  std::vector<MessageRow> rows;
  while (query.Step()) rows.push_back({query.Text(0), query.Blob(1)});
  if (!query.ok()) return std::unexpected(Failure());
  return rows;
}

Status SessionStore::SaveConversation(std::string_view id, const harmony::Conversation& conversation) {
  const Json json = harmony::ConversationToJson(conversation);
  std::lock_guard lock(mutex_);
  GPTOSS_TRY(const std::vector<MessageRow> stored, Messages(id));
  GPTOSS_CHECK_OK(Execute("BEGIN IMMEDIATE"));
  Statement there(database_, "SELECT 1 FROM sessions WHERE id=?");
  if (!there.Bind(id).Step()) {
    const Status failed = there.ok() ? Deleted() : std::unexpected(Failure());
    static_cast<void>(Execute("ROLLBACK"));
    return failed;
  }
  bool good = true;
  std::size_t number = 0;
  for (const Json& message : json["messages"]) {
    const MessageRow row{DumpJson(message), PackTokens(conversation.messages[number].ids)};
    if (number >= stored.size() || stored[number] != row) {
      Statement write(database_,
                      "INSERT OR REPLACE INTO messages (session, number, message, ids) VALUES (?,?,?,?)");
      write.Bind(id).Bind(static_cast<std::int64_t>(number)).Bind(row.message).BindBlob(row.ids).Step();
      good = good && write.ok();
    }
    ++number;
  }
  Statement rest(database_, "DELETE FROM messages WHERE session=? AND number>=?");
  rest.Bind(id).Bind(static_cast<std::int64_t>(number)).Step();
  if (!good || !rest.ok()) {
    const Error failure = Failure();
    static_cast<void>(Execute("ROLLBACK"));
    return std::unexpected(failure);
  }
  return Execute("COMMIT");
}

Result<harmony::Conversation> SessionStore::LoadConversation(std::string_view id) {
  std::vector<MessageRow> rows;
  {
    std::lock_guard lock(mutex_);
    GPTOSS_TRY(rows, Messages(id));
  }
  Json json{{"messages", Json::array()}};
  for (const MessageRow& row : rows) {
    auto message = ParseJson(row.message);
    if (!message)
      return Fail(ErrorCode::kDataLoss, fmt::format("{}: a message of session {} is damaged", name_, id));
    json["messages"].push_back(std::move(*message));
  }
  auto conversation = harmony::ConversationFromJson(json);
  if (!conversation)
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{}: session {}: {}", name_, id, conversation.error().message));
  for (std::size_t i = 0; i < rows.size(); ++i) conversation->messages[i].ids = UnpackTokens(rows[i].ids);
  return conversation;
}

Status SessionStore::Allow(std::string_view project, std::string_view rule) {
  std::lock_guard lock(mutex_);
  Statement insert(database_, "INSERT OR IGNORE INTO permissions (project, rule) VALUES (?,?)");
  insert.Bind(project).Bind(rule).Step();
  if (!insert.ok()) return std::unexpected(Failure());
  return {};
}

Result<std::vector<std::string>> SessionStore::Permissions(std::string_view project) {
  std::lock_guard lock(mutex_);
  Statement query(database_, "SELECT rule FROM permissions WHERE project=? ORDER BY rule");
  query.Bind(project);
  return Texts(query);
}

Status SessionStore::ForgetPermissions(std::string_view project) {
  std::lock_guard lock(mutex_);
  Statement remove(database_, "DELETE FROM permissions WHERE project=?");
  remove.Bind(project).Step();
  if (!remove.ok()) return std::unexpected(Failure());
  return {};
}
Result<bool> SessionStore::Allowed(std::string_view project, std::string_view rule) {
  std::lock_guard lock(mutex_);
  Statement query(database_, "SELECT 1 FROM permissions WHERE project=? AND rule=?");
  query.Bind(project).Bind(rule);
  const bool found = query.Step();
  if (!query.ok()) return std::unexpected(Failure());
  return found;
}

Status SessionStore::SetDefault(std::string_view key, std::string_view value) {
  std::lock_guard lock(mutex_);
  Statement insert(database_, "INSERT OR REPLACE INTO defaults (key, value) VALUES (?,?)");
  insert.Bind(key).Bind(value).Step();
  if (!insert.ok()) return std::unexpected(Failure());
  return {};
}

Result<std::optional<std::string>> SessionStore::Default(std::string_view key) {
  std::lock_guard lock(mutex_);
  Statement query(database_, "SELECT value FROM defaults WHERE key=?");
  query.Bind(key);
  if (query.Step()) return std::optional(query.Text(0));
  if (!query.ok()) return std::unexpected(Failure());
  return std::nullopt;
}

}  // namespace gptoss
