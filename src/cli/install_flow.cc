#include "cli/install_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <system_error>
#include <utility>

#include "cli/license_flow.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "hub/begun.h"
#include "hub/byte_progress.h"
#include "hub/catalog.h"
#include "platform/system.h"

namespace gptoss::cli {
namespace {

std::string_view HostOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return url.substr(0, url.find('/'));
}

std::uint64_t Missing(const hub::InstallPlan& plan) {
  return plan.total_bytes - std::min(plan.present_bytes, plan.total_bytes);
}

std::string MemoryVerdict(const hub::InstallPlan& plan, const hub::CatalogEntry* entry) {
  const std::uint64_t here = SystemMemory().total;
  if (here == 0) return plan.memory_advice;
  std::string verdict = plan.memory_advice.empty() ? std::string() : plan.memory_advice + "; ";
  verdict += fmt::format("this machine has {}", HumanBytes(here));
  if (entry == nullptr) return verdict;
  if (here < entry->memory_floor_bytes) return verdict + ": too little to run it";
  if (here < entry->memory_advised_bytes)
    return verdict + ": it will run, with little room for anything else";
  return verdict;
}

const hub::CatalogEntry* EntryOf(const hub::InstallPlan& plan) {
  const hub::CatalogEntry* entry = hub::FindInCatalog(plan.model);
  return entry != nullptr ? entry : hub::FindInCatalog(plan.reference.repository);
}

void Fact(std::string& text, std::string_view name, const std::string& value) {
  text += fmt::format("  {:<9} {}\n", name, WithoutControls(value));
}

std::string Facts(const HubContext& context, const hub::InstallPlan& plan) {
  const hub::CatalogEntry* entry = EntryOf(plan);
  const hub::Listing& listing = plan.listing;
  std::string text = entry != nullptr ? fmt::format("{}: {}\n", plan.model, entry->title)
                                      : WithoutControls(plan.model) + "\n";
  Fact(text, "from",
       fmt::format("{} at {} ({}) on {}", listing.repository, listing.commit.substr(0, kShortCommit),
                   plan.reference.revision, HostOf(context.options.endpoint)));
  Fact(text, "size",
       fmt::format("{} in {} file{}{}", HumanBytes(plan.total_bytes), listing.files.size(),
                   listing.files.size() == 1 ? "" : "s",
                   plan.present_bytes > 0
                       ? fmt::format("; {} are here already", HumanBytes(plan.present_bytes))
                       : std::string()));
  Fact(text, "disk",
       fmt::format("needs {} in {}; {} are free", HumanBytes(plan.disk_needed_bytes),
                   context.options.cache_dir, HumanBytes(plan.disk_free_bytes)));
  Fact(text, "memory", MemoryVerdict(plan, entry));
  Fact(text, "licence", LicenseTitle(hub::LicenseIdOf(listing), listing.license_name));
  if (const hub::LicenseInfo* license = hub::FindLicense(listing.license)) {
    Fact(text, "", license->summary);
    Fact(text, "",
         hub::LicenseText(license->id)
             ? fmt::format("The whole text: gptoss show {} --license", ShellQuoted(plan.model))
             : "The whole text: " + license->url);
  } else if (!listing.license_link.empty()) {
    Fact(text, "", "The whole text: " + listing.license_link);
  } else {
    Fact(text, "", fmt::format("The whole text: {}/{}", context.options.endpoint, listing.repository));
  }
  for (const auto& [path, found] : plan.reusable)
    Fact(text, "found",
         fmt::format("{} ({}) in {}: {}", path, HumanBytes(found.size), found.owner, found.path.string()));
  return text;
}

Json PlanEvent(const hub::InstallPlan& plan) {
  Json found = Json::array();
  for (const auto& [path, file] : plan.reusable)
    found.push_back(
        {{"path", path}, {"file", file.path.string()}, {"owner", file.owner}, {"size", file.size}});
  return {{"type", "plan"},
          {"model", plan.model},
          {"repository", plan.listing.repository},
          {"revision", plan.reference.revision},
          {"commit", plan.listing.commit},
          {"license", hub::LicenseIdOf(plan.listing)},
          {"files", plan.listing.files.size()},
          {"total_bytes", plan.total_bytes},
          {"present_bytes", plan.present_bytes},
          {"disk_free_bytes", plan.disk_free_bytes},
          {"disk_needed_bytes", plan.disk_needed_bytes},
          {"reusable", std::move(found)},
          {"already_complete", plan.already_complete}};
}

Status CheckDisk(const HubContext& context, const hub::InstallPlan& plan) {
  // 0: the system does not say; the installer then finds out why.
  if (Missing(plan) == 0 || plan.disk_free_bytes == 0 || plan.disk_free_bytes >= plan.disk_needed_bytes)
    return {};
  return Fail(
      ErrorCode::kResourceExhausted,
      fmt::format("not enough room in {}: {} are needed ({} of files and a margin), {} are free; free {} or "
                  "choose another disk with --cache-dir",
                  context.options.cache_dir, HumanBytes(plan.disk_needed_bytes),
                  HumanBytes(std::min(Missing(plan), plan.disk_needed_bytes)),
                  HumanBytes(plan.disk_free_bytes),
                  HumanBytes(plan.disk_needed_bytes - plan.disk_free_bytes)));
}

Licensed LicensedBy(const hub::InstallPlan& plan) {
  return {plan.model, plan.listing.repository, plan.listing.commit, hub::LicenseIdOf(plan.listing),
          plan.listing.license_name};
}

hub::Manifest Begun(const HubContext& context, const InstallRequest& request, const hub::InstallPlan& plan) {
  return hub::BegunManifest(plan, request.options, context.options.cache_dir);
}

// Every connection may tell of the same trouble: it is news every few seconds.
class WaitsTold {
 public:
  bool IsNews(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (reason == reason_ && now - at_ < std::chrono::seconds(5)) return false;
    reason_ = reason;
    at_ = now;
    return true;
  }

 private:
  std::mutex mutex_;
  std::string reason_;
  std::chrono::steady_clock::time_point at_;
};

void SayHowToGoOn(const InstallRequest& request, const hub::InstallPlan& plan, std::uint64_t kept,
                  bool stopped) {
  if (request.quiet || request.json) return;
  Remark(fmt::format("{}{} of {} are kept. To go on:  {}", stopped ? "stopped; " : "", HumanBytes(kept),
                     HumanBytes(plan.total_bytes), request.command));
  if (stopped) Remark(fmt::format("To drop them instead:  gptoss delete {}", ShellQuoted(plan.model)));
}

}  // namespace

Result<std::unique_ptr<hub::Installer>> OpenInstaller(const HubContext& context, bool json, bool quiet) {
  GPTOSS_TRY(std::unique_ptr<hub::Installer> installer,
             hub::Installer::Create(context.options, context.state, Version()));
  installer->client().ObserveWaits([json, quiet,
                                    told = std::make_shared<WaitsTold>()](const hub::WaitNotice& notice) {
    const double seconds = static_cast<double>(notice.wait.count()) / 1000;
    if (json) {
      WriteJsonLine(
          {{"type", "wait"}, {"reason", notice.reason}, {"seconds", seconds}, {"attempt", notice.attempt}});
    } else if (!quiet && !ProgressDisplay::LineShown() && told->IsNews(notice.reason)) {
      Remark(seconds < 1 ? fmt::format("{}; trying again", notice.reason)
                         : fmt::format("{}; trying again in {}", notice.reason, HumanSeconds(seconds)));
    }
  });
  return installer;
}

Result<hub::Manifest> InstallPlanned(const HubContext& context, hub::Installer& installer,
                                     HubSession& session, InstallRequest request,
                                     const hub::InstallPlan& plan) {
  if (request.json) {
    WriteJsonLine(PlanEvent(plan));
  } else if (!request.quiet) {
    StandardError().Write(Facts(context, plan));
  }
  GPTOSS_CHECK_OK(context.policy.CheckModel(plan.listing.repository));
  GPTOSS_CHECK_OK(CheckDisk(context, plan));
  GPTOSS_TRY(request.options.acknowledged_how,
             Acknowledge(context, session, LicensedBy(plan), request.accept_license, !request.json));
  const hub::CatalogEntry* entry = EntryOf(plan);
  const bool too_large = entry != nullptr && SystemMemory().total < entry->memory_floor_bytes;
  if (too_large && !request.yes && !request.json && CanAsk()) {
    GPTOSS_TRY(
        const bool go_on,
        session.AskYesNo("This machine has too little memory to run it. Install it all the same?", false));
    if (!go_on) return Fail(ErrorCode::kFailedPrecondition, "nothing was downloaded");
  }
  if (!plan.reusable.empty() && !request.yes && !request.json && CanAsk()) {
    GPTOSS_TRY(request.options.reuse_found,
               session.AskYesNo("Copy the files that were found instead of downloading them?", true));
  }
  GPTOSS_CHECK_OK(context.installing.Write(Begun(context, request, plan)));
  ProgressDisplay display(StyleFor(request.json, request.quiet), StandardOutput(), StandardError(),
                          session.pause());
  auto installed = installer.Run(plan, request.options, display.observer(), session.pause(), session.token());
  display.Finish();
  if (installed) {
    GPTOSS_CHECK_OK(context.installing.Remove(Begun(context, request, plan)));
  } else {
    const bool stopped = installed.error().code == ErrorCode::kCancelled;
    const std::uint64_t kept = hub::DurableBytes(plan.jobs);
    // Nothing has come: there is nothing to go on with, and nothing that `list` should know.
    if (kept == 0) (void)context.installing.Remove(Begun(context, request, plan));
    if (kept > 0 || stopped) SayHowToGoOn(request, plan, kept, stopped);
  }
  return installed;
}

Result<hub::Manifest> RepairInstalled(const HubContext& context, HubSession& session,
                                      const hub::Manifest& manifest, const hub::IntegrityReport& report,
                                      bool json, bool quiet) {
  GPTOSS_CHECK_OK(context.policy.CheckNetworkInstall());
  GPTOSS_TRY(const std::unique_ptr<hub::Installer> installer, OpenInstaller(context, json, quiet));
  ProgressDisplay display(StyleFor(json, quiet), StandardOutput(), StandardError(), session.pause());
  auto repaired = installer->Repair(manifest, report, display.observer(), session.pause(), session.token());
  display.Finish();
  return repaired;
}

Result<hub::IntegrityReport> CheckAllHashes(HubSession& session, const hub::Manifest& manifest, bool json,
                                            bool quiet) {
  ProgressDisplay display(StyleFor(json, quiet), StandardOutput(), StandardError(), session.pause());
  hub::ByteProgress progress(hub::TotalBytes(manifest), "verifying", display.observer());
  progress.SetFile(manifest.model);
  return hub::FullCheck(manifest, session.token(), progress.counter());
}

void SayInstalled(const hub::Manifest& manifest, bool already_complete, bool json, bool quiet) {
  const std::uint64_t bytes = hub::TotalBytes(manifest);
  if (json) {
    WriteJsonLine({{"type", "done"},
                   {"model", manifest.model},
                   {"repository", manifest.repository},
                   {"commit", manifest.commit},
                   {"folder", manifest.folder.string()},
                   {"total_bytes", bytes},
                   {"already_complete", already_complete}});
  } else if (!quiet) {
    StandardOutput().Write(WithoutControls(
        fmt::format("{} is {}: {} in {} file{}, all verified, in {}\n", manifest.model,
                    already_complete ? "complete" : "installed", HumanBytes(bytes), manifest.files.size(),
                    manifest.files.size() == 1 ? "" : "s", manifest.folder.string())));
  }
}

}  // namespace gptoss::cli
