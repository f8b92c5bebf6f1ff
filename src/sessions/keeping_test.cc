#include "sessions/keeping.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/testing/temporary_folder.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;

StoredSession Session(const std::string& id) {
  StoredSession session;
  session.id = id;
  session.folder = "/p";
  return session;
}

class KeepingTest : public ::testing::Test {
 protected:
  fs::path file() const { return folder_ / "sessions.db"; }
  KeptSessions Open() const {
    auto sessions = OpenKeptSessions(file());
    EXPECT_TRUE(sessions.has_value()) << sessions.error().message;
    return std::move(*sessions);
  }
  // Good, and in use: several pages, a log beside it.
  void Fill(int sessions = 200) const {
    const auto store = std::move(SessionStore::Open(file()).value());
    for (int i = 0; i < sessions; ++i) {
      ASSERT_TRUE(store->Create(Session(fmt::format("s{:04}", i))));
      ASSERT_TRUE(store->Append(fmt::format("s{:04}", i), std::string(300, 'x')));
    }
  }
  void Write(const fs::path& path, const std::string& bytes) const { std::ofstream(path) << bytes; }
  void Sql(const char* sql) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
  void Overwrite(std::streamoff at, std::size_t count) const {
    std::fstream stream(file(), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(at);
    stream << std::string(count, '\xa5');
  }
  std::vector<fs::path> Aside() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename().string();
      const bool beside = name.ends_with("-wal") || name.ends_with("-shm");
      if (name.find(".damaged-") != std::string::npos && !beside) found.push_back(entry.path());
    }
    return found;
  }
  static std::string Bytes(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void ExpectSetAside() const {
    const std::string damaged = Bytes(file());
    const KeptSessions sessions = Open();
    EXPECT_TRUE(sessions.kept);
    EXPECT_NE(sessions.trouble.find("damaged"), std::string::npos) << sessions.trouble;
    ASSERT_EQ(Aside().size(), 1U);
    EXPECT_NE(sessions.trouble.find(Aside().front().string()), std::string::npos);
    EXPECT_EQ(Bytes(Aside().front()), damaged);
    EXPECT_TRUE(sessions.store->Create(Session("new")));
    EXPECT_EQ(Open().trouble, "");
    EXPECT_TRUE(Open().store->Find("new").has_value());
  }
  void ExpectInMemory(std::string_view why) const {
    const KeptSessions sessions = Open();
    EXPECT_FALSE(sessions.kept);
    EXPECT_NE(sessions.trouble.find("not being kept"), std::string::npos) << sessions.trouble;
    EXPECT_NE(sessions.trouble.find(why), std::string::npos) << sessions.trouble;
    EXPECT_TRUE(sessions.store->Create(Session("new")));
    EXPECT_TRUE(sessions.store->Find("new").has_value());
  }
  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(KeepingTest, AGoodFileIsOpened) {
  Fill(3);
  const KeptSessions sessions = Open();
  EXPECT_TRUE(sessions.kept);
  EXPECT_EQ(sessions.trouble, "");
  EXPECT_TRUE(sessions.store->Find("s0002").has_value());
}

TEST_F(KeepingTest, WhatIsNoDatabaseIsSetAside) {
  Write(file(), "this is a text, and was one for a long time\n" + std::string(5000, 'x'));
  ExpectSetAside();
}

TEST_F(KeepingTest, ADamagedPageIsFoundAndSetAside) {
  Fill();
  for (const std::streamoff at : {100, 3 * 4096, 20 * 4096}) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    Fill();
    Overwrite(at, 4096);
    ExpectSetAside();
  }
}

TEST_F(KeepingTest, AFileThatWasCutOffIsSetAside) {
  Fill();
  fs::resize_file(file(), fs::file_size(file()) / 2);
  ExpectSetAside();
}

TEST_F(KeepingTest, AStoreOfAnotherShapeIsSetAside) {
  Fill(1);
  Sql("DROP TABLE messages");
  ExpectSetAside();
  for (const fs::path& path : Aside()) fs::remove(path);
  Sql("PRAGMA user_version=-3");
  ExpectSetAside();
}

TEST_F(KeepingTest, ItsLogGoesWithIt) {
  Fill(1);
  Write(file(), std::string(5000, 'x'));
  Write(file().string() + "-wal", "the log");
  const KeptSessions sessions = Open();
  ASSERT_EQ(Aside().size(), 1U);
  EXPECT_EQ(Bytes(Aside().front().string() + "-wal"), "the log");
  EXPECT_TRUE(sessions.store->Create(Session("new")));
}

TEST_F(KeepingTest, ANewerOneIsLeftAlone) {
  Fill(1);
  Sql("PRAGMA user_version=99");
  const std::string before = Bytes(file());
  ExpectInMemory("newer gptoss");
  EXPECT_EQ(Bytes(file()), before);
  EXPECT_TRUE(Aside().empty());
}

TEST_F(KeepingTest, WhereNoFolderCanBeMadeItIsInMemory) {
  Write(folder_ / "taken", "a file");
  const auto sessions = OpenKeptSessions(folder_ / "taken" / "sessions.db");
  ASSERT_TRUE(sessions.has_value());
  EXPECT_FALSE(sessions->kept);
  EXPECT_NE(sessions->trouble.find("stands where a folder is needed"), std::string::npos);
  const auto nowhere = OpenKeptSessions(Fail(ErrorCode::kFailedPrecondition, "there is no home folder"));
  ASSERT_TRUE(nowhere.has_value());
  EXPECT_NE(nowhere->trouble.find("no home folder"), std::string::npos);
  fs::create_directories(file());  // a folder in its place
  ExpectInMemory("unable to open");
}

TEST_F(KeepingTest, OneThatMayNotBeWrittenIsLeftAlone) {
  Fill(1);
  fs::permissions(folder_, fs::perms(0755));
  fs::permissions(file(), fs::perms(0444));
  const bool root = ::geteuid() == 0;  // who may write everything
  ASSERT_EQ(root ? ::seteuid(65534) : 0, 0);
  ExpectInMemory("");
  ASSERT_EQ(root ? ::seteuid(0) : 0, 0);
  EXPECT_TRUE(Open().kept || !root);
  EXPECT_TRUE(Aside().empty());
}

TEST_F(KeepingTest, OneThatSomebodyHoldsDoesNotKeepUsWaiting) {
  Fill(1);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(database,
                   "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO defaults VALUES ('a','b')",
                   nullptr, nullptr, nullptr),
      SQLITE_OK);
  ExpectInMemory("locked");
  sqlite3_close(database);
}

TEST_F(KeepingTest, OneThatSomebodyOnlyWritesToIsHeldAsWell) {
  Fill(1);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  ExpectInMemory("locked");
  sqlite3_close(database);
}

TEST_F(KeepingTest, WhoIsHeldInTheMiddleOfItsLifeWaitsOnceAndGoesOnAfterwards) {
  Fill(1);
  const KeptSessions sessions = Open();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    const Status appended = sessions.store->Append("s0000", "x");
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(sessions.store->SaveConversation("s0000", {}));
  }
  // Two thousand waits would take minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
  EXPECT_TRUE(sessions.store->Find("s0000").has_value());
  sqlite3_close(database);
  EXPECT_TRUE(sessions.store->Append("s0000", "y"));
  EXPECT_EQ(sessions.store->Transcript("s0000").value().back(), "y");
}

TEST_F(KeepingTest, WhatAnotherProcessDeletedIsNotBroughtBackInPieces) {
  Fill(2);
  const KeptSessions ours = Open(), theirs = Open();
  ASSERT_TRUE(theirs.store->Delete("s0000"));
  EXPECT_EQ(ours.store->Append("s0000", "x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ours.store->SaveConversation("s0000", {}).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(ours.store->Transcript("s0000").value().empty());
  EXPECT_TRUE(ours.store->Append("s0001", "x"));
}

TEST_F(KeepingTest, SeveralAtOnceBeginOneNewFile) {
  Write(file(), std::string(5000, 'x'));
  std::atomic<int> troubles{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i, &troubles] {
      const auto sessions = OpenKeptSessions(file());
      if (!sessions || !sessions->kept || !sessions->store->Create(Session(fmt::format("t{}", i))))
        troubles += 100;
      if (sessions && !sessions->trouble.empty()) ++troubles;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(troubles, 1);
  EXPECT_EQ(Aside().size(), 1U);
  const KeptSessions sessions = Open();
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(sessions.store->Find(fmt::format("t{}", i)).has_value()) << i;
}

}  // namespace
}  // namespace gptoss
