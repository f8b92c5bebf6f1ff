#include "settings/paths.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

namespace gptoss {
namespace {

#if defined(__APPLE__)
constexpr bool kMacOs = true;
#else
constexpr bool kMacOs = false;
#endif

std::filesystem::path Absolute(const char* path) {
  std::error_code failed;  // the working folder may be gone
  auto absolute = std::filesystem::absolute(path, failed);
  return failed ? std::filesystem::path(path) : absolute;
}

// Set and not empty.
const char* Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// An override by us may be relative (to here); the XDG specification tells to ignore relative paths.
struct Place {
  const char* override_variable;
  const char* xdg_variable;
  const char* linux_default;
  const char* macos_default;
};

Result<std::filesystem::path> Find(const Place& place) {
  if (const char* path = Variable(place.override_variable)) return Absolute(path);
  if (!kMacOs) {
    const char* base = Variable(place.xdg_variable);
    if (base != nullptr && *base == '/') return std::filesystem::path(base) / "gptoss";
  }
  GPTOSS_TRY(const std::filesystem::path home, HomeDirectory());
  return home / (kMacOs ? place.macos_default : place.linux_default);
}

}  // namespace

Result<std::filesystem::path> HomeDirectory() {
  if (const char* home = Variable("HOME"); home != nullptr && *home == '/')
    return std::filesystem::path(home);
  // A service may have no HOME; the user database knows.
  struct passwd entry{};
  struct passwd* found = nullptr;
  std::array<char, 16384> buffer;
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr &&
      found->pw_dir != nullptr && *found->pw_dir == '/')
    return std::filesystem::path(found->pw_dir);
  return Fail(ErrorCode::kFailedPrecondition, "there is no home folder; set HOME to one");
}

Result<std::filesystem::path> ExpandHome(std::string_view path) {
  if (path != "~" && !path.starts_with("~/")) return std::filesystem::path(path);
  GPTOSS_TRY(const std::filesystem::path home, HomeDirectory());
  return path.size() <= 2 ? home : home / path.substr(2);
}

Result<std::filesystem::path> ConfigFile() {
  if (const char* file = Variable("GPTOSS_CONFIG")) return Absolute(file);
  GPTOSS_TRY(const std::filesystem::path folder,
             Find({.override_variable = "GPTOSS_CONFIG",
                   .xdg_variable = "XDG_CONFIG_HOME",
                   .linux_default = ".config/gptoss",
                   .macos_default = "Library/Application Support/gptoss"}));
  return folder / "config.toml";
}

Result<std::filesystem::path> ConfigDirectory() {
  GPTOSS_TRY(const std::filesystem::path file, ConfigFile());
  return file.parent_path();
}

Result<std::filesystem::path> StateDirectory() {
  return Find({.override_variable = "GPTOSS_STATE_DIR",
               .xdg_variable = "XDG_STATE_HOME",
               .linux_default = ".local/state/gptoss",
               .macos_default = "Library/Application Support/gptoss/state"});
}

Result<std::filesystem::path> DataDirectory() {
  return Find({.override_variable = "GPTOSS_DATA_DIR",
               .xdg_variable = "XDG_DATA_HOME",
               .linux_default = ".local/share/gptoss",
               .macos_default = "Library/Application Support/gptoss"});
}

Result<std::filesystem::path> CacheDirectory() {
  return Find({.override_variable = "GPTOSS_CACHE_DIR",
               .xdg_variable = "XDG_CACHE_HOME",
               .linux_default = ".cache/gptoss",
               .macos_default = "Library/Caches/gptoss"});
}

std::filesystem::path SystemConfigDirectory() {
  return kMacOs ? "/Library/Application Support/gptoss" : "/etc/gptoss";
}
std::filesystem::path SystemConfigFile() { return SystemConfigDirectory() / "config.toml"; }
std::filesystem::path SystemPolicyFile() { return SystemConfigDirectory() / "policy.toml"; }

Result<std::filesystem::path> UserPolicyFile() {
  GPTOSS_TRY(const std::filesystem::path folder, ConfigDirectory());
  return folder / "policy.toml";
}

}  // namespace gptoss
