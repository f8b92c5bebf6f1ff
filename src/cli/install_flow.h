// From a plan to an installed model, as a person or a program sees it: facts, licence, questions, progress.
// `install`, `update` and `verify --repair` share it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/hub_context.h"
#include "hub/installer.h"

namespace gptoss::cli {

struct InstallRequest {
  std::string model;            // as asked
  hub::InstallOptions options;  // acknowledged_how is filled in here
  std::string command;          // what to paste to go on: "gptoss install gpt-oss-20b"
  bool accept_license = false, yes = false, json = false, quiet = false;
};

Result<std::unique_ptr<hub::Installer>> OpenInstaller(const HubContext& context, bool json, bool quiet);

// Shows the plan, checks disk and memory, gets the licence acknowledged and recorded, runs the plan. Nothing
// is downloaded before the acknowledgement is on the disk. Errors are those of the plan; after one that left
// partial files the way to go on has been said.
Result<hub::Manifest> InstallPlanned(const HubContext& context, hub::Installer& installer,
                                     HubSession& session, InstallRequest request,
                                     const hub::InstallPlan& plan);

// Fetches again what `report` found wrong.
Result<hub::Manifest> RepairInstalled(const HubContext& context, HubSession& session,
                                      const hub::Manifest& manifest, const hub::IntegrityReport& report,
                                      bool json, bool quiet);

// Every hash, with progress.
Result<hub::IntegrityReport> CheckAllHashes(HubSession& session, const hub::Manifest& manifest, bool json,
                                            bool quiet);

// What `--from` names: a folder, or a tar that was unpacked beside the cache and goes again with this.
struct ImportSource {
  std::filesystem::path folder;
  std::optional<hub::Manifest> manifest;  // of an export; without one the content is taken as it is
  std::filesystem::path temporary;        // removed at the end; "": none
  ImportSource() = default;
  ImportSource(ImportSource&& other) noexcept;
  ImportSource& operator=(ImportSource&&) = delete;
  ~ImportSource();
};
Result<ImportSource> OpenImport(const HubContext& context, HubSession& session, const std::string& from,
                                bool json, bool quiet);
// The licence as for a download, then the files into the cache. No network.
Result<hub::Manifest> InstallImported(const HubContext& context, HubSession& session, InstallRequest request,
                                      const ImportSource& source);

inline constexpr std::size_t kShortCommit = 12;

// "gpt-oss-20b is installed: 12.1 GB in 10 files, all verified, in /…" on stdout, or the event "done".
void SayInstalled(const hub::Manifest& manifest, bool already_complete, bool json, bool quiet);

}  // namespace gptoss::cli
