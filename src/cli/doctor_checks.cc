#include "cli/doctor_checks.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "backend/cpu/kernels.h"
#include "cli/model_option.h"
#include "hub/manifest.h"
#include "platform/cpu_features.h"
#include "platform/disk.h"
#include "platform/memory.h"
#include "platform/system.h"
#include "provider/from_settings.h"
#include "provider/hub_source.h"
#include "provider/load_tokenizer.h"
#include "settings/paths.h"
#include "settings/policy.h"
#include "settings/units.h"

namespace gptoss::cli {
namespace {

// What the smallest layout of the 20B model takes on disk, with room to work.
constexpr std::uint64_t kModelOnDisk = 14'000'000'000;

void Add(Findings& findings, std::string check, Health health, std::string message, std::string advice = {}) {
  findings.push_back({std::move(check), health, std::move(message), std::move(advice)});
}

// The answer of an installed model whose files are not as they should be.
Finding FindingOf(const hub::Manifest& manifest, const hub::IntegrityReport& report, bool full) {
  const std::uint64_t bytes = hub::TotalBytes(manifest);
  Finding finding{.check = "model " + manifest.model};
  if (report.state == hub::Integrity::kVerified && report.drifts.empty()) {
    finding.message = fmt::format("{} in {} files, {}", DescribeBytes(bytes), manifest.files.size(),
                                  full ? "every byte verified" : "sizes and pins as installed");
    return finding;
  }
  const bool usable = report.state == hub::Integrity::kVerified || report.state == hub::Integrity::kChanged;
  finding.health = usable ? Health::kWarning : Health::kError;
  finding.message = std::string(hub::IntegrityName(report.state));
  for (const auto& problem : report.problems)
    finding.message += fmt::format("; {}: {}", problem.path, problem.what);
  for (const std::string& drift : report.drifts) finding.message += "; " + drift;
  finding.advice =
      usable ? fmt::format("gptoss verify {}", manifest.model)
             : fmt::format("gptoss install {} repairs it: only what is damaged is fetched", manifest.model);
  return finding;
}

}  // namespace

std::string_view HealthName(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kWarning:
      return "warning";
    case Health::kError:
      return "error";
  }
  return "error";
}

void CheckPlatformAndCpu(Findings& findings) {
  const std::string_view platform = ThisPlatform();
  const bool known = platform == "linux-x86_64" || platform == "linux-arm64" || platform == "macos-arm64";
  Add(findings, "platform", known ? Health::kOk : Health::kWarning, std::string(platform),
      known ? "" : "gptoss is made for Linux (x86-64, 64-bit Arm) and macOS (Apple silicon)");
  const std::string kernels(UsableKernels().back()->name);
  const bool fast = kernels != "portable";
  Add(findings, "cpu", fast ? Health::kOk : Health::kWarning,
      fmt::format("{}, {} usable, {}; kernels: {}", CpuName(), UsableCpus(), DescribeFeatures(ThisCpu()),
                  kernels),
      fast ? "" : "this CPU lacks AVX2; the 20B model would answer very slowly, the demo model is fine");
}

void CheckMemory(const Settings& settings, std::uint64_t weight_bytes, Findings& findings) {
  const MemoryInfo memory = SystemMemory();
  std::string text =
      fmt::format("{} in total, {} available", DescribeBytes(memory.total), DescribeBytes(memory.available));
  if (const auto group = ControlGroupMemory())
    text += fmt::format("; a control group allows {}, {} used", DescribeBytes(group->limit),
                        DescribeBytes(group->used));
  const std::uint64_t floor = settings.Bytes("memory.floor"), advised = settings.Bytes("memory.advised");
  if (memory.total < floor) {
    Add(findings, "memory", Health::kWarning, text,
        fmt::format("below memory.floor ({}): the 20B model will not be loaded here; the demo model runs",
                    FormatBytes(floor)));
  } else if (memory.available < weight_bytes) {
    Add(findings, "memory", Health::kWarning, text,
        fmt::format("the selected model has {} of weights: close other applications before it is loaded",
                    DescribeBytes(weight_bytes)));
  } else if (memory.total < advised) {
    Add(findings, "memory", Health::kWarning, text,
        fmt::format(
            "below memory.advised ({}): for the 20B model keep the context small (memory.context_tokens) or "
            "set memory.kv_bits to 8",
            FormatBytes(advised)));
  } else {
    Add(findings, "memory", Health::kOk, text);
  }
}

void CheckDisk(const Settings& settings, Findings& findings) {
  const std::filesystem::path folder = HubCacheFrom(settings);
  const auto space = DiskSpaceFor(folder);
  if (!space)
    return Add(findings, "disk", Health::kWarning, space.error().message, "gptoss config set hub.cache_dir");
  const std::uint64_t margin = settings.Bytes("hub.min_free_disk");
  const std::string text =
      fmt::format("{} free of {} where models are kept ({})", DescribeBytes(space->available),
                  DescribeBytes(space->total), folder.string());
  const bool enough = space->available >= kModelOnDisk + margin;
  Add(findings, "disk", enough ? Health::kOk : Health::kWarning, text,
      enough ? ""
             : fmt::format(
                   "the 20B model takes about {}: free some space, or choose another disk with hub.cache_dir",
                   DescribeBytes(kModelOnDisk)));
}

void CheckSettings(const Settings& settings, Findings& findings) {
  for (const Settings::Problem& problem : settings.problems())
    Add(findings, "settings", Health::kError, problem.error.message,
        "gptoss config list shows names and ranges");
  for (const std::string& warning : settings.warnings())
    Add(findings, "settings", Health::kWarning, warning, "remove or correct it; it has no effect");
  if (!settings.problems().empty() || !settings.warnings().empty()) return;
  std::size_t changed = 0;
  for (std::size_t i = 0; i < kSettingCount; ++i)
    changed += settings.entry(i).origin != SettingOrigin::kDefault ? 1 : 0;
  const auto file = ConfigFile();
  Add(findings, "settings", Health::kOk,
      fmt::format("{} of {} changed{}", changed, kSettingCount,
                  file ? fmt::format("; the user's file is {}", file->string()) : ""));
}

void CheckPolicy(Findings& findings) {
  const auto policy = Policy::Load();
  if (!policy)
    return Add(findings, "policy", Health::kError, policy.error().message,
               "correct the file: until then models are neither installed nor loaded");
  std::string text = "no policy file: everything is allowed once the licence is accepted";
  if (!policy->files().empty()) {
    text = fmt::format("{}; models may {}be downloaded; the licence {} to be accepted",
                       fmt::join(policy->files(), ", "), policy->CheckNetworkInstall() ? "" : "not ",
                       policy->acknowledgement_required() ? "has" : "need not");
  }
  if (const Status allowed = policy->CheckPlatform(); !allowed) {
    Add(findings, "policy", Health::kError, allowed.error().message, "ask who administers this machine");
  } else {
    Add(findings, "policy", Health::kOk, text);
  }
  for (const std::string& warning : policy->warnings())
    Add(findings, "policy", Health::kWarning, warning, "remove the line");
  struct stat info{};
  const std::string system = SystemPolicyFile().string();
  if (::stat(system.c_str(), &info) == 0 && (info.st_uid != 0 || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0))
    Add(findings, "policy", Health::kWarning, fmt::format("{} can be changed by others than root", system),
        fmt::format("sudo chown root {0} && sudo chmod 644 {0}", system));
}

Finding CheckFolder(std::string name, const std::filesystem::path& folder) {
  const std::string shown = folder.string();
  const std::string check = "folder " + std::move(name);
  struct stat info{};
  if (::stat(shown.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      std::filesystem::path above = folder;
      while (above.has_relative_path() && ::access(above.c_str(), F_OK) != 0) above = above.parent_path();
      if (::stat(above.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
          ::access(above.c_str(), W_OK | X_OK) == 0)
        return {check, Health::kOk, shown + " (made when it is needed)", {}};
      return {check, Health::kError,
              fmt::format("{} cannot be made: {} is no folder to write in", shown, above.string()),
              "give yourself the right to write there, or move the folder with its variable (see "
              "docs/settings.md)"};
    }
    return {check, Health::kError, fmt::format("{}: {}", shown, std::strerror(errno)),
            "check the folders above it"};
  }
  if (!S_ISDIR(info.st_mode)) return {check, Health::kError, shown + " is not a folder", "move it away"};
  if (::access(shown.c_str(), R_OK | W_OK | X_OK) != 0)
    return {check, Health::kError, shown + " cannot be written", fmt::format("chmod u+rwx {}", shown)};
  if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0)
    return {check, Health::kWarning, shown + " can be written by everybody",
            fmt::format("chmod o-w {}", shown)};
  if (info.st_uid != ::geteuid())
    return {check, Health::kWarning, shown + " belongs to another user", "run gptoss as its owner"};
  return {check, Health::kOk, shown, {}};
}

void CheckFolders(Findings& findings) {
  const std::pair<const char*, Result<std::filesystem::path>> folders[] = {{"config", ConfigDirectory()},
                                                                           {"state", StateDirectory()},
                                                                           {"data", DataDirectory()},
                                                                           {"cache", CacheDirectory()}};
  for (const auto& [name, folder] : folders) {
    if (!folder) {
      Add(findings, fmt::format("folder {}", name), Health::kError, folder.error().message, "set HOME");
      return;
    }
    findings.push_back(CheckFolder(name, *folder));
  }
}

std::uint64_t CheckSelectedModel(const std::string& path, Findings& findings) {
  const auto selected = SelectModel(path);
  if (const Status allowed = selected ? CheckAllowed(*selected) : Status(); !allowed) {
    Add(findings, "selected model", Health::kError, allowed.error().message,
        "choose another model with -m, or ask who administers this machine");
    return 0;
  }
  const auto checkpoint = selected ? OpenSelected(*selected) : std::unexpected(selected.error());
  if (!checkpoint) {
    Add(findings, "selected model", Health::kError, checkpoint.error().message,
        "choose another with -m, GPTOSS_MODEL or 'gptoss config set model.default', or repair this one");
    return 0;
  }
  const Model& model = *checkpoint->model;
  const std::string text = fmt::format("{}, {} layout, {} of weights", model.name, model.layout,
                                       DescribeBytes(model.weight_bytes));
  if (!checkpoint->tokenizer) {
    Add(findings, "selected model", Health::kError, text + ", without a tokenizer",
        "put the model's tokenizer.json into its folder");
  } else if (const auto tokenizer = LoadTokenizer(*checkpoint); !tokenizer) {
    Add(findings, "selected model", Health::kError, tokenizer.error().message,
        "put the model's own tokenizer.json into its folder");
  } else {
    Add(findings, "selected model", Health::kOk,
        fmt::format("{}; tokenizer of {} tokens", text, (*tokenizer)->size()));
  }
  return model.weight_bytes;
}

void CheckInstalledModels(bool full, const CancelToken& cancel, Findings& findings) {
  const auto state = StateDirectory();
  if (!state) return;  // the folders' check has said so
  std::vector<std::string> problems;
  const std::vector<hub::Manifest> manifests = hub::ManifestStore(*state).List(&problems);
  for (const std::string& problem : problems)
    Add(findings, "models", Health::kError, problem, "install the model again");
  const auto policy = Policy::Load();  // a broken one has been told of
  for (const hub::Manifest& manifest : manifests) {
    if (const Status allowed = policy ? CheckMayLoad(*policy, manifest, *state) : Status(); !allowed) {
      Add(findings, "model " + manifest.model, Health::kWarning, allowed.error().message,
          "it is here and will not be loaded; 'gptoss delete' gives its room back");
      continue;
    }
    if (!full) {
      findings.push_back(FindingOf(manifest, hub::QuickCheck(manifest), false));
      continue;
    }
    const auto report = hub::FullCheck(manifest, cancel);
    if (report) {
      findings.push_back(FindingOf(manifest, *report, true));
    } else {
      Add(findings, "model " + manifest.model, Health::kError, report.error().message, "try again");
    }
  }
  if (manifests.empty() && problems.empty())
    Add(findings, "models", Health::kOk, "none installed; the embedded demo model answers");
}

}  // namespace gptoss::cli
