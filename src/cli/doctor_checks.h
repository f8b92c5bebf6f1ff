// What `gptoss doctor` looks at. Each check says what it found and, unless that is well, what to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "settings/settings.h"

namespace gptoss::cli {

enum class Health : std::uint8_t { kOk, kWarning, kError };
std::string_view HealthName(Health health);  // "ok", "warning", "error"

struct Finding {
  std::string check;  // "memory"
  Health health = Health::kOk;
  std::string message = {};
  std::string advice = {};  // "" with kOk
};
using Findings = std::vector<Finding>;

// Each adds at least one finding. Nothing here changes anything or uses the network.
void CheckPlatformAndCpu(Findings& findings);
void CheckMemory(const Settings& settings, std::uint64_t weight_bytes, Findings& findings);
void CheckDisk(const Settings& settings, Findings& findings);
void CheckSettings(const Settings& settings, Findings& findings);
void CheckPolicy(Findings& findings);
void CheckFolders(Findings& findings);
// The checkpoint that commands would open (`path`: of -m). Returns the bytes of its weights, 0 when broken.
std::uint64_t CheckSelectedModel(const std::string& path, Findings& findings);
// Every installed model against its manifest: sizes and pins, with `full` every byte.
void CheckInstalledModels(bool full, const CancelToken& cancel, Findings& findings);

// A folder or file of ours: who may write there.
Finding CheckFolder(std::string name, const std::filesystem::path& folder);

}  // namespace gptoss::cli
