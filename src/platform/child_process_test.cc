#include "platform/child_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace gptoss {
namespace {

using namespace std::chrono_literals;

std::string ReadToEnd(int descriptor) {
  std::string text;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::read(descriptor, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

TEST(ChildProcess, RunsInItsFolderWithItsEnvironmentAndBothStreams) {
  auto child = ChildProcess::Start({.argv = {"sh", "-c", "pwd; echo $GPTOSS_CHILD >&2; exit 7"},
                                    .environment = {{"GPTOSS_CHILD", "x y"}},
                                    .folder = "/"});
  ASSERT_TRUE(child.has_value()) << child.error().message;
  EXPECT_EQ(ReadToEnd((*child)->output()), "/\nx y\n");
  const auto exit = (*child)->WaitFor(60s);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 7);
}

TEST(ChildProcess, InputEndsWhenItIsClosed) {
  auto child = ChildProcess::Start({.argv = {"cat"}, .input = ChildOptions::Input::kPipe});
  ASSERT_TRUE(child.has_value());
  ASSERT_EQ(::write((*child)->input(), "abc", 3), 3);
  EXPECT_FALSE((*child)->WaitFor(0ms).has_value());
  (*child)->CloseInput();
  EXPECT_EQ(ReadToEnd((*child)->output()), "abc");
  EXPECT_EQ((*child)->WaitFor(60s)->code, 0);
}

// The grandchild holds the pipe open for as long as it lives: the read ends only when it is gone.
TEST(ChildProcess, KillsTheWholeGroup) {
  auto child = ChildProcess::Start({.argv = {"sh", "-c", "sleep 1000 & echo started; wait"}});
  ASSERT_TRUE(child.has_value());
  char byte = 0;
  ASSERT_EQ(::read((*child)->output(), &byte, 1), 1);
  EXPECT_EQ((*child)->KillGroup().signal, SIGKILL);
  EXPECT_EQ(ReadToEnd((*child)->output()), "tarted\n");
}

TEST(ChildProcess, WhatAProgramLeavesBehindIsKilledWhenItEnds) {
  auto child = ChildProcess::Start({.argv = {"sh", "-c", "sleep 1000 & exit 0"}});
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ((*child)->WaitFor(60s)->code, 0);
  EXPECT_EQ(ReadToEnd((*child)->output()), "");
}

TEST(ChildProcess, NamesWhatItCannotStart) {
  const auto none = ChildProcess::Start({.argv = {"gptoss-no-such-program"}});
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find("gptoss-no-such-program"), std::string::npos);
  EXPECT_FALSE(ChildProcess::Start({}).has_value());
  EXPECT_EQ(ChildProcess::Start({.argv = {"true"}, .folder = "/gptoss/none"}).error().code,
            ErrorCode::kNotFound);
}

TEST(ChildProcess, SigpipeIsNotIgnoredInIt) {
  ::signal(SIGPIPE, SIG_IGN);
  auto child = ChildProcess::Start({.argv = {"sh", "-c", "kill -PIPE $$; echo survived"}});
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(ReadToEnd((*child)->output()), "");
  EXPECT_EQ((*child)->WaitFor(60s)->signal, SIGPIPE);
}

}  // namespace
}  // namespace gptoss
