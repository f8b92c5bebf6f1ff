// Where gptoss keeps its files. Linux: the XDG base directories; macOS: ~/Library. Nothing here creates
// folders (CreatePrivateFolders in base/file.h does).
//
//                Linux                               macOS                                   override
//   config file  ~/.config/gptoss/config.toml        ~/Library/Application Support/gptoss/…  GPTOSS_CONFIG
//   state        ~/.local/state/gptoss               ~/Library/Application Support/gptoss/state
//   GPTOSS_STATE_DIR data         ~/.local/share/gptoss               ~/Library/Application Support/gptoss
//   GPTOSS_DATA_DIR cache        ~/.cache/gptoss                     ~/Library/Caches/gptoss GPTOSS_CACHE_DIR
//
// Errors: kFailedPrecondition where there is no home folder. Any thread, while nobody changes the
// environment.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/error.h"

namespace gptoss {

Result<std::filesystem::path> HomeDirectory();
// "~" and "~/…" to the home folder; anything else stays.
Result<std::filesystem::path> ExpandHome(std::string_view path);

Result<std::filesystem::path> ConfigFile();
Result<std::filesystem::path> ConfigDirectory();  // the folder of ConfigFile()
Result<std::filesystem::path>
StateDirectory();  // records, logs, sessions: to be kept, not to be carried around
Result<std::filesystem::path> DataDirectory();   // what is to be kept and is no record
Result<std::filesystem::path> CacheDirectory();  // may be deleted at any time

// Of the whole machine, written by its administrator: /etc/gptoss, or /Library/Application Support/gptoss. No
// variable moves it: a user must not be able to step around a policy.
std::filesystem::path SystemConfigDirectory();
std::filesystem::path SystemConfigFile();        // config.toml in it
std::filesystem::path SystemPolicyFile();        // policy.toml in it
Result<std::filesystem::path> UserPolicyFile();  // policy.toml in ConfigDirectory()

}  // namespace gptoss
