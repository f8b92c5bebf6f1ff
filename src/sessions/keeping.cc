#include "sessions/keeping.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/file_lock.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;
constexpr auto kLockPatience = std::chrono::seconds(2);

std::string TimeStamp() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc)};
}

// Where a damaged file goes: a name that nothing has yet.
fs::path FreeName(const fs::path& file) {
  const std::string name = file.string() + ".damaged-" + TimeStamp();
  std::error_code none;
  fs::path free = name;
  for (int i = 2; fs::exists(fs::symlink_status(free, none)); ++i) free = fmt::format("{}-{}", name, i);
  return free;
}

// The database last: a log that stayed behind would be played into the one that is begun.
Result<fs::path> SetAside(const fs::path& file) {
  fs::path aside = FreeName(file);
  for (const char* suffix : {"-wal", "-shm", ""}) {
    const fs::path part = file.string() + suffix;
    std::error_code error;
    if (!fs::exists(fs::symlink_status(part, error))) continue;
    fs::rename(part, aside.string() + suffix, error);
    if (error) return FailErrno("rename", part, error.value());
  }
  return aside;
}

Result<KeptSessions> InMemory(std::string_view why) {
  KeptSessions sessions;
  GPTOSS_TRY(sessions.store, SessionStore::Open(""));
  sessions.trouble = fmt::format("This conversation is not being kept: {}.", why);
  sessions.kept = false;
  return sessions;
}

// Another process may have seen the same damage: under a lock it is looked at again.
Result<KeptSessions> BeginAnew(const fs::path& file) {
  GPTOSS_TRY(const FileLock lock,
             FileLock::Acquire(file.string() + ".lock", FileLock::Kind::kExclusive, {}, kLockPatience));
  KeptSessions sessions;
  auto again = SessionStore::Open(file);
  if (!again && again.error().code == ErrorCode::kDataLoss) {
    GPTOSS_TRY(const fs::path aside, SetAside(file));
    sessions.trouble =
        fmt::format("The file of kept conversations is damaged; it was set aside as {} and a new one begun.",
                    aside.string());
    again = SessionStore::Open(file);
  }
  if (!again) return std::unexpected(std::move(again).error());
  sessions.store = std::move(*again);
  return sessions;
}

}  // namespace

Result<KeptSessions> OpenKeptSessions(const Result<fs::path>& file) {
  if (!file) return InMemory(file.error().message);
  auto store = SessionStore::Open(*file);
  if (store) return KeptSessions{.store = std::move(*store), .trouble = {}};
  if (store.error().code != ErrorCode::kDataLoss) return InMemory(store.error().message);
  auto anew = BeginAnew(*file);
  if (anew) return anew;
  return InMemory(
      fmt::format("{}; it could not be set aside ({})", store.error().message, anew.error().message));
}

}  // namespace gptoss
