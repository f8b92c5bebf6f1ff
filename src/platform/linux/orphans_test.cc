#include "platform/orphans.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "platform/child_process.h"

namespace gptoss {
namespace {

using namespace std::chrono_literals;

// A shell that prints the pids of what leaves its group, one a line, then "-", and stays.
std::unique_ptr<ChildProcess> Start(const std::string& script) {
  EXPECT_TRUE(AdoptOrphans());
  auto child = ChildProcess::Start({.argv = {"sh", "-c", script + "; wait"}});
  EXPECT_TRUE(child.has_value());
  return std::move(*child);
}

std::vector<pid_t> Pids(const ChildProcess& child) {
  std::vector<pid_t> pids;
  std::string line;
  char c = 0;
  while (::read(child.output(), &c, 1) == 1) {
    if (c != '\n') {
      line += c;
      continue;
    }
    if (line == "-") break;
    pids.push_back(std::stoi(line));
    line.clear();
  }
  return pids;
}

bool Runs(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  return std::getline(stat, text) && text.find(") Z") == std::string::npos;
}
// It has been told to; on a machine that is busy that takes a moment.
bool Ends(pid_t pid) {
  for (int i = 0; i < 2000 && Runs(pid); ++i) ::usleep(5000);
  return !Runs(pid);
}
// Left the group, so that killing that does not reach it.
bool LeftTheGroup(pid_t pid) {
  for (int i = 0; i < 2000 && ::getpgid(pid) != pid; ++i) ::usleep(5000);
  return ::getpgid(pid) == pid;
}

TEST(Orphans, WhatLeftTheGroupOfAProgramEndsWithIt) {
  const auto child = Start("setsid sleep 1000 & echo $!; echo -");
  const std::vector<pid_t> pids = Pids(*child);
  ASSERT_EQ(pids.size(), 1U);
  ASSERT_TRUE(LeftTheGroup(pids[0]));
  child->KillGroup();
  EXPECT_TRUE(Ends(pids[0]));
}

TEST(Orphans, SoDoesWhatTheyStarted) {
  const auto child = Start("setsid sh -c 'setsid sleep 1000 & echo $!; echo -; sleep 1000' & true");
  const std::vector<pid_t> pids = Pids(*child);
  ASSERT_EQ(pids.size(), 1U);
  ASSERT_TRUE(LeftTheGroup(pids[0]));
  child->KillGroup();
  EXPECT_TRUE(Ends(pids[0]));
}

TEST(Orphans, AProgramThatEndsByItselfTakesThemAlong) {
  EXPECT_TRUE(AdoptOrphans());
  auto child = ChildProcess::Start(
      {.argv = {"sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; echo -"}});
  ASSERT_TRUE(child.has_value());
  const std::vector<pid_t> pids = Pids(**child);
  ASSERT_EQ(pids.size(), 1U);
  ASSERT_TRUE((*child)->WaitFor(60s).has_value());
  EXPECT_TRUE(Ends(pids[0]));
}

TEST(Orphans, OthersAreLeftAloneAndTheLastGoAtTheEnd) {
  const auto first = Start("setsid sleep 1000 & echo $!; env -i setsid sleep 1000 & echo $!; echo -");
  const auto second = Start("setsid sleep 1000 & echo $!; echo -");
  const std::vector<pid_t> of_first = Pids(*first), of_second = Pids(*second);
  ASSERT_EQ(of_first.size(), 2U);
  ASSERT_EQ(of_second.size(), 1U);
  for (const pid_t pid : {of_first[0], of_first[1], of_second[0]}) ASSERT_TRUE(LeftTheGroup(pid));
  first->KillGroup();
  EXPECT_TRUE(Ends(of_first[0]));
  EXPECT_TRUE(Runs(of_first[1]));  // nothing tells whose it was
  EXPECT_TRUE(Runs(of_second[0]));
  second->KillGroup();
  EXPECT_TRUE(Ends(of_second[0]));
  KillOrphans();
  EXPECT_TRUE(Ends(of_first[1]));
}

}  // namespace
}  // namespace gptoss
