#include "sessions/store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "base/testing/temporary_folder.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;

class SessionStoreTest : public ::testing::Test {
 protected:
  fs::path file() const { return folder_ / "state" / "sessions.db"; }
  std::unique_ptr<SessionStore> Open() {
    auto store = SessionStore::Open(file());
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }
  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

StoredSession Sample(const std::string& id, const std::string& folder = "/p") {
  StoredSession session;
  session.id = id;
  session.folder = folder;
  session.mode = "gptoss_20b";
  session.options = {{"model", "demo"}, {"effort", "low"}};
  session.more_folders = {"/q", "/with \"quotes\""};
  return session;
}

TEST_F(SessionStoreTest, WhatIsWrittenIsThereAfterAReopen) {
  {
    const auto store = Open();
    ASSERT_TRUE(store->Create(Sample("a")));
    StoredSession session = store->Find("a").value();
    session.title = "Title";
    session.context_used = 7;
    session.turn_open = true;
    ASSERT_TRUE(store->Update(session, true));
    ASSERT_TRUE(store->Append("a", "one"));
    ASSERT_TRUE(store->Append("a", std::string("nul\0inside", 10)));
    ASSERT_TRUE(store->Allow("/p", "edit"));
    ASSERT_TRUE(store->SetDefault("effort", "low"));
    ASSERT_TRUE(store->SetDefault("effort", "high"));
  }
  const auto store = Open();
  const StoredSession session = store->Find("a").value();
  EXPECT_EQ(session.title, "Title");
  EXPECT_EQ(session.more_folders, Sample("a").more_folders);
  EXPECT_EQ(session.options, Sample("a").options);
  EXPECT_EQ(session.context_used, 7U);
  EXPECT_TRUE(session.turn_open);
  EXPECT_EQ(store->Transcript("a").value(),
            (std::vector<std::string>{"one", std::string("nul\0inside", 10)}));
  EXPECT_TRUE(store->Allowed("/p", "edit").value());
  EXPECT_FALSE(store->Allowed("/p2", "edit").value());
  ASSERT_TRUE(store->Allow("/p", "refuse run:x").has_value());
  EXPECT_EQ(store->Permissions("/p").value(), (std::vector<std::string>{"edit", "refuse run:x"}));
  ASSERT_TRUE(store->ForgetPermissions("/p").has_value());
  EXPECT_TRUE(store->Permissions("/p").value().empty());
  EXPECT_FALSE(store->Allowed("/p", "edit").value());
  EXPECT_EQ(store->Default("effort").value(), "high");
  EXPECT_EQ(store->Default("none").value(), std::nullopt);
  EXPECT_EQ(fs::status(file()).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(SessionStoreTest, UnknownAndDeleted) {
  const auto store = Open();
  EXPECT_EQ(store->Find("x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store->Update(Sample("x"), true).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store->Delete("x"));
  ASSERT_TRUE(store->Create(Sample("a")));
  ASSERT_TRUE(store->Append("a", "one"));
  ASSERT_TRUE(store->Delete("a"));
  EXPECT_EQ(store->Find("a").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store->Transcript("a")->empty());
}

TEST_F(SessionStoreTest, PagesGoThroughAllNewestFirst) {
  const auto store = Open();
  for (int i = 0; i < 25; ++i)
    ASSERT_TRUE(store->Create(Sample(fmt::format("s{:02}", i), i % 5 == 0 ? "/five" : "/p")));
  ASSERT_TRUE(store->Update(store->Find("s03").value(), true));
  std::set<std::string> seen;
  std::string cursor;
  std::int64_t newest = INT64_MAX;
  int pages = 0;
  do {
    const SessionPage page = store->List(std::nullopt, cursor, 7).value();
    for (const StoredSession& session : page.sessions) {
      EXPECT_TRUE(seen.insert(session.id).second) << session.id;
      EXPECT_LE(session.updated_ms, newest);
      newest = session.updated_ms;
    }
    cursor = page.next_cursor;
    ++pages;
  } while (!cursor.empty());
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(pages, 4);
  EXPECT_EQ(store->List("/five", "", 100)->sessions.size(), 5U);
  EXPECT_TRUE(store->List("/none", "", 100)->sessions.empty());
  EXPECT_EQ(store->List(std::nullopt, "nonsense", 7).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(SessionStoreTest, ConversationsComeBackAsTheyWere) {
  const auto store = Open();
  ASSERT_TRUE(store->Create(Sample("a")));
  harmony::Conversation conversation;
  conversation.messages = {harmony::SystemMessage({}),
                           harmony::DeveloperMessage({.instructions = "Be brief."}),
                           harmony::UserMessage("hi"),
                           harmony::AssistantMessage("analysis", "think"),
                           harmony::ToolCallMessage("read_file", "{\"path\":\"ä\"}"),
                           harmony::ToolResultMessage("functions.read_file", "text")};
  ASSERT_TRUE(store->SaveConversation("a", conversation));
  EXPECT_EQ(harmony::ConversationToJson(store->LoadConversation("a").value()),
            harmony::ConversationToJson(conversation));
  conversation.messages.resize(3);
  conversation.messages[2] = harmony::UserMessage("changed");
  ASSERT_TRUE(store->SaveConversation("a", conversation));
  EXPECT_EQ(harmony::ConversationToJson(store->LoadConversation("a").value()),
            harmony::ConversationToJson(conversation));
}

// What a table says, changed behind the store's back.
void Sql(const fs::path& file, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_free(error);
  sqlite3_close(database);
}

harmony::Conversation WithIds() {
  harmony::Conversation conversation;
  conversation.messages = {harmony::SystemMessage({}), harmony::UserMessage("hi"),
                           harmony::AssistantMessage("final", "hello")};
  conversation.messages[2].ids = {200006, 0, 173781, INT32_MAX};
  return conversation;
}

TEST_F(SessionStoreTest, IdsComeBackWithTheirMessages) {
  harmony::Conversation conversation = WithIds();
  {
    const auto store = Open();
    ASSERT_TRUE(store->Create(Sample("a")));
    ASSERT_TRUE(store->SaveConversation("a", conversation));
  }
  const auto store = Open();
  EXPECT_EQ(store->LoadConversation("a")->messages[2].ids, conversation.messages[2].ids);
  EXPECT_TRUE(store->LoadConversation("a")->messages[1].ids.empty());
  conversation.messages[2].ids = {1};  // the same text by other ids is written too
  ASSERT_TRUE(store->SaveConversation("a", conversation));
  EXPECT_EQ(store->LoadConversation("a")->messages[2].ids, conversation.messages[2].ids);
}

TEST_F(SessionStoreTest, DamagedIdsLeaveTheMessages) {
  ASSERT_TRUE(Open()->Create(Sample("a")));
  ASSERT_TRUE(Open()->SaveConversation("a", WithIds()));
  for (const char* blob :
       {"x'00'", "x'0102030405'", "x'FFFFFFFF'", "x'01000000000000A0'", "'text'", "-1", "NULL"}) {
    Sql(file(), fmt::format("UPDATE messages SET ids={} WHERE number=2", blob));
    const auto loaded = Open()->LoadConversation("a");
    ASSERT_TRUE(loaded.has_value()) << blob;
    EXPECT_EQ(loaded->messages[2].Text(), "hello") << blob;
    const bool readable = std::string_view(blob) == "'text'";  // four bytes are an id, whoever wrote them
    EXPECT_EQ(loaded->messages[2].ids.size(), readable ? 1U : 0U) << blob;
  }
}

TEST_F(SessionStoreTest, AFileOfTheFirstSchemaIsBroughtToThisOne) {
  fs::create_directories(file().parent_path());
  Sql(file(), R"(
CREATE TABLE sessions (
  id TEXT PRIMARY KEY, folder TEXT NOT NULL, more_folders TEXT NOT NULL, title TEXT NOT NULL, mode TEXT NOT NULL,
  options TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, context_used INTEGER NOT NULL,
  context_size INTEGER NOT NULL, turn_open INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX sessions_by_time ON sessions (updated DESC, id);
CREATE INDEX sessions_by_folder ON sessions (folder, updated DESC, id);
CREATE TABLE transcript (
  session TEXT NOT NULL, number INTEGER NOT NULL, item TEXT NOT NULL, PRIMARY KEY (session, number)) WITHOUT ROWID;
CREATE TABLE messages (
  session TEXT NOT NULL, number INTEGER NOT NULL, message TEXT NOT NULL, PRIMARY KEY (session, number)) WITHOUT ROWID;
CREATE TABLE permissions (project TEXT NOT NULL, rule TEXT NOT NULL, PRIMARY KEY (project, rule)) WITHOUT ROWID;
CREATE TABLE defaults (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO sessions VALUES ('old','/p','[]','Title','gptoss_20b','{}',1,2,3,4,0);
INSERT INTO messages VALUES ('old',0,'{"role":"user","content":"hi"}');
PRAGMA user_version=1)");
  {
    const auto store = Open(), beside = Open();
    EXPECT_EQ(store->Find("old")->title, "Title");
    EXPECT_EQ(beside->LoadConversation("old")->messages.at(0).Text(), "hi");
    ASSERT_TRUE(store->SaveConversation("old", WithIds()));
  }
  EXPECT_EQ(Open()->LoadConversation("old")->messages[2].ids, WithIds().messages[2].ids);
}

TEST_F(SessionStoreTest, AFileOfALaterSchemaIsLeftAlone) {
  static_cast<void>(Open());
  Sql(file(), "PRAGMA user_version=99");
  EXPECT_EQ(SessionStore::Open(file()).error().code, ErrorCode::kUnsupported);
}

TEST_F(SessionStoreTest, PruningTakesWhatIsOldOrEmpty) {
  const auto store = Open();
  ASSERT_TRUE(store->Create(Sample("empty")));
  ASSERT_TRUE(store->Create(Sample("full")));
  ASSERT_TRUE(store->Append("full", "x"));
  EXPECT_EQ(store->Prune(0, false).value(), 0);
  EXPECT_EQ(store->Prune(INT64_MAX, true).value(), 1);
  EXPECT_TRUE(store->Find("full").has_value());
  EXPECT_EQ(store->Prune(INT64_MAX, false).value(), 1);
}

TEST_F(SessionStoreTest, AFileThatIsNoDatabaseIsNamed) {
  fs::create_directories(file().parent_path());
  std::ofstream(file()) << std::string(5000, 'x');
  const auto store = SessionStore::Open(file());
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::kDataLoss);
  EXPECT_NE(store.error().message.find("sessions.db"), std::string::npos);
}

TEST_F(SessionStoreTest, TwoStoresOfOneFileAndManyThreads) {
  const auto one = Open(), two = Open();
  ASSERT_TRUE(one->Create(Sample("a")));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i)
        EXPECT_TRUE((t % 2 == 0 ? one : two)->Append("a", fmt::format("{}-{}", t, i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto items = one->Transcript("a").value();
  EXPECT_EQ(std::set<std::string>(items.begin(), items.end()).size(), 100U);
}

// A child writes numbered items and says each number only after its call returned; it is killed at some
// moment. Whatever it said must be there, whole and in order.
TEST_F(SessionStoreTest, AKilledProcessLosesNothingItWasToldIsKept) {
  ASSERT_TRUE(Open()->Create(Sample("a")));
  for (int round = 0; round < 20; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = SessionStore::Open(file());
      if (!store) ::_exit(1);
      for (std::uint32_t i = 0;; ++i) {
        if (!(*store)->Append("a", fmt::format("{} {}", round, i))) ::_exit(2);
        if (::write(ends[1], &i, sizeof i) != sizeof i) ::_exit(3);
      }
    }
    ::close(ends[1]);
    std::uint32_t said = 0;
    for (int i = 0; i < 1 + round * 3; ++i)
      ASSERT_EQ(::read(ends[0], &said, sizeof said), ssize_t{sizeof said});
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(ends[0], &said, sizeof said) == ssize_t{sizeof said}) continue;
    ::close(ends[0]);
    const auto store = Open();
    std::uint32_t next = 0;
    const std::vector<std::string> items = store->Transcript("a").value();
    for (const std::string& item : items) {
      if (!item.starts_with(fmt::format("{} ", round))) continue;
      EXPECT_EQ(item, fmt::format("{} {}", round, next++));
    }
    EXPECT_GT(next, said);
  }
}

}  // namespace
}  // namespace gptoss
