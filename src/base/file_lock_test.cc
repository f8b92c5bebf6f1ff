#include "base/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/file.h"

namespace gptoss {
namespace {

class FileLockTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "gptoss-lock-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ / "lock";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_, path_;
};

TEST_F(FileLockTest, ExcludesAndIsGivenBack) {
  auto first = FileLock::Try(path_);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(first->has_value());
  EXPECT_FALSE(FileLock::Try(path_)->has_value());
  EXPECT_FALSE(FileLock::Try(path_, FileLock::Kind::kShared)->has_value());
  FileLock moved = *std::move(*first);
  EXPECT_TRUE(moved.held());
  EXPECT_FALSE(FileLock::Try(path_)->has_value());
  moved.Release();
  moved.Release();
  EXPECT_TRUE(FileLock::Try(path_)->has_value());
}

TEST_F(FileLockTest, SharedLocksStandBesideEachOther) {
  const auto first = FileLock::Try(path_, FileLock::Kind::kShared);
  const auto second = FileLock::Try(path_, FileLock::Kind::kShared);
  EXPECT_TRUE(first->has_value() && second->has_value());
  EXPECT_FALSE(FileLock::Try(path_)->has_value());
}

TEST_F(FileLockTest, AWaitEndsByTokenAndByDeadline) {
  const auto holder = FileLock::Acquire(path_);
  ASSERT_TRUE(holder);
  const CancelSource cancel;
  std::thread canceller([&] { cancel.Cancel(); });
  const auto cancelled = FileLock::Acquire(path_, FileLock::Kind::kExclusive, cancel.token());
  canceller.join();
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
  const auto late = FileLock::Acquire(path_, FileLock::Kind::kExclusive, {}, std::chrono::milliseconds(5));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(FileLockTest, AWaiterGetsItWhenTheHolderLetsGo) {
  auto holder = FileLock::Acquire(path_);
  ASSERT_TRUE(holder);
  std::atomic<bool> released = false;
  bool in_order = false;
  std::thread waiter([&] {
    const auto lock = FileLock::Acquire(path_);
    in_order = lock.has_value() && released.load();
  });
  released = true;
  holder->Release();
  waiter.join();
  EXPECT_TRUE(in_order);
}

// A process that dies lets go, however it dies.
TEST_F(FileLockTest, DiesWithItsProcess) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = FileLock::Try(path_);
    const char got = lock && lock->has_value() ? '1' : '0';
    if (::write(ends[1], &got, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char got = 0;
  ASSERT_EQ(::read(ends[0], &got, 1), 1);
  EXPECT_EQ(got, '1');
  EXPECT_FALSE(FileLock::Try(path_)->has_value());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileLock::Try(path_)->has_value());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(FileLockTest, AMissingFolderIsAnErrorAndPrivateFoldersHelp) {
  const std::filesystem::path deep = folder_ / "a" / "b";
  EXPECT_EQ(FileLock::Try(deep / "lock").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(CreatePrivateFolders(deep));
  ASSERT_TRUE(CreatePrivateFolders(deep));
  EXPECT_EQ(std::filesystem::status(deep).permissions(), std::filesystem::perms::owner_all);
  EXPECT_TRUE(FileLock::Try(deep / "lock")->has_value());
  ASSERT_TRUE(WriteFileAtomic(folder_ / "file", "x"));
  EXPECT_FALSE(CreatePrivateFolders(folder_ / "file"));
  EXPECT_FALSE(CreatePrivateFolders(folder_ / "file" / "below"));
}

}  // namespace
}  // namespace gptoss
