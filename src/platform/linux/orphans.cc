#include "platform/orphans.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace gptoss {
namespace {

constexpr auto kRounds = std::chrono::milliseconds(200);
std::atomic<bool> g_adopts{false};

// The first bytes of a file of /proc; "" where there is none, or none for us.
std::string ProcText(pid_t pid, std::string_view name, std::size_t max_bytes) {
  const int file = ::open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  std::string text(max_bytes, '\0');
  std::size_t have = 0;
  ssize_t got = 0;
  while (have < max_bytes && (got = ::read(file, text.data() + have, max_bytes - have)) > 0)
    have += static_cast<std::size_t>(got);
  ::close(file);
  text.resize(have);
  return text;
}

struct Child {
  pid_t pid;
  bool ended;
};

// "PID (any name) STATE PARENT ..."
std::optional<Child> ReadChild(pid_t pid, pid_t parent) {
  const std::string stat = ProcText(pid, "stat", 512);
  const std::size_t end = stat.rfind(')');
  if (end == std::string::npos || end + 4 >= stat.size()) return std::nullopt;
  pid_t its_parent = -1;
  std::from_chars(stat.data() + end + 4, stat.data() + stat.size(), its_parent);
  if (its_parent != parent) return std::nullopt;
  return Child{.pid = pid, .ended = stat[end + 2] == 'Z'};
}

// /proc/self/task/*/children says it at once, but not every kernel has it.
std::vector<Child> Children() {
  std::vector<Child> children;
  DIR* const proc = ::opendir("/proc");
  if (proc == nullptr) return children;
  const pid_t self = ::getpid();
  while (const dirent* entry = ::readdir(proc)) {
    const std::string_view name(entry->d_name);
    pid_t pid = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    if (const auto child = ReadChild(pid, self)) children.push_back(*child);
  }
  ::closedir(proc);
  return children;
}

// nullopt: its environment is empty, as it is for a moment while a program takes another's place.
std::optional<bool> Carries(pid_t pid, const std::string& mark) {
  const std::string environment = ProcText(pid, "environ", std::size_t{1} << 20);
  if (environment.empty()) return std::nullopt;
  const std::string wanted = fmt::format("{}={}", kOrphanMark, mark);
  std::size_t at = 0;
  while (at < environment.size()) {
    const std::size_t end = std::min(environment.find('\0', at), environment.size());
    if (std::string_view(environment).substr(at, end - at) == wanted) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

bool AdoptOrphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return false;
  g_adopts = true;
  return true;
}

bool AdoptsOrphans() { return g_adopts; }

void EndOrphans(const std::string& mark, const std::function<bool(pid_t)>& is_child) {
  if (!g_adopts) return;
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    const auto spent = std::chrono::steady_clock::now() - begin;
    bool some = false;
    for (const Child& child : Children()) {
      if (is_child(child.pid)) continue;
      if (!child.ended) {
        const std::optional<bool> wanted = mark.empty() ? true : Carries(child.pid, mark);
        some = some || !wanted;
        if (!wanted.value_or(false)) continue;
        if (::kill(child.pid, SIGKILL) != 0) continue;
      }
      // What it leaves behind becomes ours when it is gone: another round.
      const pid_t reaped = ::waitpid(child.pid, nullptr, WNOHANG);
      some = some || !child.ended || reaped == child.pid;
    }
    if (!some || spent >= kRounds) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace gptoss
