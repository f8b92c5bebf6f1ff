#include "platform/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>

#include "platform/orphans.h"

extern char** environ;

namespace gptoss {
namespace {

// Both ends close on exec: no other child that is started meanwhile inherits them.
Result<std::array<int, 2>> Pipe() {
  std::array<int, 2> ends{-1, -1};
#ifdef __linux__
  const int failed = ::pipe2(ends.data(), O_CLOEXEC);
#else
  const int failed = ::pipe(ends.data());
  for (const int end : ends) {
    if (failed == 0) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
#endif
  if (failed != 0)
    return Fail(ErrorCode::kResourceExhausted, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  return ends;
}

void Close(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

std::vector<std::string> Environment(const ChildOptions& options) {
  std::vector<std::string> all;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry(*at);
    const std::string_view name = entry.substr(0, entry.find('='));
    const bool replaced =
        std::ranges::any_of(options.environment, [&](const auto& e) { return e.first == name; });
    if (!replaced) all.emplace_back(entry);
  }
  for (const auto& [name, value] : options.environment) all.push_back(name + "=" + value);
  return all;
}

// No other process has it, nor any other child of this one.
std::string NewMark() {
  static std::atomic<std::uint64_t> next{1};
  return fmt::format("{}.{}.{}", ::getpid(), std::chrono::steady_clock::now().time_since_epoch().count(),
                     next++);
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

ErrorCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case ENOEXEC:
      return ErrorCode::kPermissionDenied;
    case E2BIG:
    case EINVAL:
      return ErrorCode::kInvalidArgument;
    default:
      return ErrorCode::kResourceExhausted;
  }
}

// What posix_spawn is told, freed at the end.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);  // which we ignore, and a child would go on ignoring
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &defaults);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  void Use(int descriptor, int as) { posix_spawn_file_actions_adddup2(&actions_, descriptor, as); }
  void Null(int as, int flags) { posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", flags, 0); }
  void Folder(const std::string& folder) { posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str()); }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A pipe end for the child, closed here after the start.
struct Ends {
  std::array<int, 2> in{-1, -1}, out{-1, -1}, err{-1, -1};
  ~Ends() {
    for (auto* pair : {&in, &out, &err}) {
      for (int& end : *pair) Close(end);
    }
  }
};

// Groups whose leaders are not reaped yet. Held while one is started, too: a child that nobody knows yet
// looks like an orphan.
std::timed_mutex& GroupsMutex() {
  static std::timed_mutex mutex;
  return mutex;
}
std::set<pid_t>& Groups() {
  static std::set<pid_t> groups;
  return groups;
}

// With that mutex held. `mark`: as EndOrphans has it.
void EndOrphansOf(const std::string& mark) {
  EndOrphans(mark, [](pid_t pid) { return Groups().contains(pid); });
}

}  // namespace

void KillAllChildren() {
  // A start may hang, on a disk that is gone: then there is nothing more to be done.
  const std::unique_lock lock(GroupsMutex(), std::chrono::milliseconds(100));
  if (!lock.owns_lock()) return;
  for (const pid_t group : Groups()) ::kill(-group, SIGKILL);
  EndOrphansOf("");
}

void KillOrphans() {
  std::lock_guard lock(GroupsMutex());
  EndOrphansOf("");
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const ChildOptions& options) {
  if (options.argv.empty() || options.argv.front().empty())
    return Fail(ErrorCode::kInvalidArgument, "no program is named");
  Ends ends;
  SpawnPlan plan;
  if (options.input == ChildOptions::Input::kPipe) {
    GPTOSS_TRY(ends.in, Pipe());
    plan.Use(ends.in[0], STDIN_FILENO);
  } else {
    plan.Null(STDIN_FILENO, O_RDONLY);
  }
  GPTOSS_TRY(ends.out, Pipe());
  plan.Use(ends.out[1], STDOUT_FILENO);
  switch (options.errors) {
    case ChildOptions::Errors::kNull:
      plan.Null(STDERR_FILENO, O_WRONLY);
      break;
    case ChildOptions::Errors::kPipe: {
      GPTOSS_TRY(ends.err, Pipe());
      plan.Use(ends.err[1], STDERR_FILENO);
      break;
    }
    case ChildOptions::Errors::kWithOutput:
      plan.Use(ends.out[1], STDERR_FILENO);
      break;
    case ChildOptions::Errors::kInherit:
      plan.Use(STDERR_FILENO, STDERR_FILENO);
      break;
  }
  if (!options.folder.empty()) plan.Folder(options.folder);
  std::vector<std::string> arguments = options.argv, environment = Environment(options);
  std::string mark;
  if (AdoptsOrphans()) {
    mark = NewMark();
    environment.push_back(fmt::format("{}={}", kOrphanMark, mark));
  }
  const std::vector<char*> argv = Pointers(arguments), envp = Pointers(environment);
  pid_t pid = -1;
  int error = 0;
  {
    std::lock_guard lock(GroupsMutex());
    error = ::posix_spawnp(&pid, argv[0], plan.actions(), plan.attributes(), argv.data(), envp.data());
    if (error == 0) Groups().insert(pid);
  }
  if (error != 0)
    return Fail(CodeOf(error),
                fmt::format("cannot start '{}'{}: {}", options.argv.front(),
                            options.folder.empty() ? "" : " in " + options.folder, std::strerror(error)));
  std::unique_ptr<ChildProcess> child(new ChildProcess());
  child->pid_ = pid;
  child->mark_ = std::move(mark);
  child->input_ = std::exchange(ends.in[1], -1);
  child->output_ = std::exchange(ends.out[0], -1);
  child->errors_ = std::exchange(ends.err[0], -1);
  return child;
}

ChildProcess::~ChildProcess() {
  KillGroup();
  Close(input_);
  Close(output_);
  Close(errors_);
}

void ChildProcess::CloseInput() { Close(input_); }

std::optional<ChildExit> ChildProcess::WaitFor(std::chrono::milliseconds patience) {
  if (exit_) return exit_;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto pause = std::chrono::milliseconds(1);
  while (true) {
    // Not reaped yet, so that the group's number cannot belong to anybody else when it is killed.
    siginfo_t info{};
    const int failed = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    if (failed == 0 && info.si_pid == pid_) return KillGroup();
    if (failed != 0 && errno != EINTR) return KillGroup();
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
  }
}

void ChildProcess::SignalGroup(int signal) {
  if (!exit_) ::kill(-pid_, signal);
}

ChildExit ChildProcess::KillGroup() {
  if (exit_) return *exit_;
  ::kill(-pid_, SIGKILL);
  return Reap();
}

ChildExit ChildProcess::Reap() {
  int status = 0;
  pid_t got = -1;
  // Known until it is reaped, so that nobody else does that; its number is not taken again before it is
  // forgotten.
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
  {
    std::lock_guard lock(GroupsMutex());
    while ((got = ::waitpid(pid_, &status, 0)) < 0 && errno == EINTR) continue;
    Groups().erase(pid_);
    if (!mark_.empty()) EndOrphansOf(mark_);
  }
  ChildExit exit;
  if (got == pid_ && WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
  } else {
    exit.code = got == pid_ ? WEXITSTATUS(status) : 127;
  }
  exit_ = exit;
  return exit;
}

}  // namespace gptoss
