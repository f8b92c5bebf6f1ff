#include "provider/hub_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "base/acknowledgement.h"
#include "base/file.h"
#include "hub/begun.h"
#include "hub/catalog.h"
#include "settings/paths.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;

Availability Unavailable(const Error& error, std::string advice) {
  return {.state = ModelState::kUnavailable,
          .reason = error.message,
          .advice = std::move(advice),
          .error = error.code};
}

class HubSource final : public ModelSource {
 public:
  HubSource(std::string model, std::string repository, HubSourceOptions options)
      : model_(std::move(model)),
        repository_(std::move(repository)),
        options_(std::move(options)),
        installed_(options_.state_folder),
        begun_(options_.state_folder, "installing") {}

  Availability Look() override {
    const auto policy = options_.policy();
    if (!policy) return Unavailable(policy.error(), "correct the file, or ask who administers this machine");
    const auto manifest = installed_.Find(model_);
    if (!manifest && manifest.error().code != ErrorCode::kNotFound)
      return Unavailable(manifest.error(), Advice());
    const Status allowed = manifest ? CheckMayLoad(*policy, *manifest, options_.state_folder)
                                    : CheckMayInstall(*policy, repository_);
    if (!allowed) return Unavailable(allowed.error(), "ask who administers this machine");
    if (!manifest) return NotInstalled();
    const Status intact = hub::RequireIntact(*manifest);
    if (intact) return {.state = ModelState::kInstalled};
    // What is damaged can be fetched again, where that is allowed.
    if (const Status again = policy->CheckNetworkInstall(); !again)
      return Unavailable(intact.error(), again.error().message);
    return {.state = ModelState::kNotInstalled,
            .reason = intact.error().message,
            .advice = Advice(),
            .download_bytes = hub::TotalBytes(*manifest),
            .error = intact.error().code};
  }

  Result<Checkpoint> Open(const std::optional<std::string>& path) override {
    if (path) return LocalModelSource(*path)->Open(std::nullopt);
    GPTOSS_TRY(const Policy policy, options_.policy());
    GPTOSS_TRY(const hub::Manifest manifest, installed_.Find(model_));
    GPTOSS_CHECK_OK(hub::RequireIntact(manifest));
    GPTOSS_CHECK_OK(CheckMayLoad(policy, manifest, options_.state_folder));
    return OpenToLoad(hub::CheckpointPath(manifest));
  }

  Result<std::unique_ptr<LoadedModel>> Load(const Checkpoint& checkpoint, const LoadedModel::Options& options,
                                            const std::function<void(double)>& on_fraction,
                                            const CancelToken& cancel) override {
    return LoadMapped(checkpoint, options, on_fraction, cancel);
  }

  Status Install(const std::string& acknowledged_by, const std::function<void(const Availability&)>& on_state,
                 const CancelToken& cancel) override {
    GPTOSS_TRY(const Policy policy, options_.policy());
    GPTOSS_CHECK_OK(CheckMayInstall(policy, repository_));
    GPTOSS_TRY(const std::unique_ptr<hub::Installer> installer, MakeInstaller());
    hub::InstallOptions options;
    GPTOSS_TRY(const hub::InstallPlan plan, installer->Plan(model_, options, cancel));
    GPTOSS_CHECK_OK(policy.CheckModel(plan.listing.repository));
    GPTOSS_TRY(options.acknowledged_how, Acknowledge(policy, plan.listing, acknowledged_by));
    const hub::Manifest begun = hub::BegunManifest(plan, options, options_.hub.cache_dir);
    GPTOSS_CHECK_OK(begun_.Write(begun));
    const auto observer = [&](const hub::TransferProgress& progress) {
      const auto total = static_cast<double>(std::max<std::uint64_t>(progress.total_bytes, 1));
      on_state({.state = ModelState::kDownloading,
                .reason = progress.notice,
                .download_bytes = progress.total_bytes,
                .fraction = std::min(1.0, static_cast<double>(progress.done_bytes) / total),
                .eta_seconds = progress.eta_seconds});
    };
    const hub::PauseControl pause;
    const auto done = installer->Run(plan, options, observer, pause, cancel);
    if (done || hub::DurableBytes(plan.jobs) == 0) static_cast<void>(begun_.Remove(begun));
    if (!done) return std::unexpected(done.error());
    return {};
  }

 private:
  std::string Advice() const { return fmt::format("'gptoss install {}' installs it", model_); }

  static Status CheckMayInstall(const Policy& policy, const std::string& repository) {
    GPTOSS_CHECK_OK(policy.CheckPlatform());
    GPTOSS_CHECK_OK(policy.CheckModel(repository));
    return policy.CheckNetworkInstall();
  }

  Result<std::unique_ptr<hub::Installer>> MakeInstaller() const {
    if (options_.make_installer) return options_.make_installer();
    return hub::Installer::Create(options_.hub, options_.state_folder, options_.program_version);
  }

  Availability NotInstalled() const {
    Availability look{.state = ModelState::kNotInstalled,
                      .reason = fmt::format("{} is not installed", model_),
                      .advice = Advice()};
    if (const auto begun = begun_.Find(model_)) {
      const std::uint64_t total = hub::TotalBytes(*begun);
      const std::uint64_t here = std::min(total, hub::DurableBytesOf(*begun, options_.hub.cache_dir));
      look.download_bytes = total - here;
      look.reason += fmt::format(
          "; {:.0f} % of it are here already",
          100 * static_cast<double>(here) / static_cast<double>(std::max<std::uint64_t>(total, 1)));
    } else if (const hub::CatalogEntry* entry = hub::FindInCatalog(model_)) {
      look.download_bytes = entry->approximate_bytes;
    }
    return look;
  }

  // How the licence was accepted, now or before. It is on the disk before this returns.
  Result<std::string> Acknowledge(const Policy& policy, const hub::Listing& listing,
                                  const std::string& acknowledged_by) const {
    const std::string licence = hub::LicenseIdOf(listing);
    GPTOSS_TRY(const auto known,
               FindAcknowledgement(options_.state_folder, listing.repository, listing.commit, licence));
    if (known) return known->how;
    const std::string& shown = options_.shown_licence;
    if (!acknowledged_by.empty() && !shown.empty() && licence != shown)
      return Fail(
          ErrorCode::kFailedPrecondition,
          fmt::format("{} comes under the licence {} by now, not under {}; read it and accept it with "
                      "'gptoss install {}' in a terminal",
                      model_, licence, shown, model_));
    if (acknowledged_by.empty()) {
      GPTOSS_CHECK_OK(policy.CheckLicence(false, listing.repository, licence));
      return std::string();
    }
    GPTOSS_CHECK_OK(CreatePrivateFolders(options_.state_folder));
    GPTOSS_CHECK_OK(RecordAcknowledgement(options_.state_folder, {.model = listing.repository,
                                                                  .revision = listing.commit,
                                                                  .licence = licence,
                                                                  .how = acknowledged_by}));
    return acknowledged_by;
  }

  const std::string model_, repository_;
  const HubSourceOptions options_;
  const hub::ManifestStore installed_, begun_;
};

bool LooksLikePath(const std::string& text) {
  return text.front() == '/' || text.front() == '.' || text.front() == '~' || text.ends_with(".gguf");
}

}  // namespace

Result<Checkpoint> OpenToLoad(const std::filesystem::path& path) {
  auto checkpoint = OpenCheckpoint(path);
  if (!checkpoint && checkpoint.error().code == ErrorCode::kInvalidArgument)
    checkpoint.error().code = ErrorCode::kDataLoss;
  return checkpoint;
}

Result<HubSourceOptions> HubSourceOptions::FromEnvironment() {
  HubSourceOptions options;
  options.hub = hub::HubOptionsFromEnvironment();
  GPTOSS_TRY(options.state_folder, StateDirectory());
  return options;
}

Result<std::unique_ptr<ModelSource>> HubModelSource(const std::string& model, HubSourceOptions options) {
  const hub::CatalogEntry* entry = hub::FindInCatalog(model);
  std::string name = entry != nullptr && model.empty() ? entry->name : model;
  std::string repository;
  if (entry != nullptr) {
    repository = entry->repository;
  } else {
    GPTOSS_TRY(const hub::ModelReference reference, hub::ParseModelReference(model));
    repository = reference.repository;
  }
  return std::make_unique<HubSource>(std::move(name), std::move(repository), std::move(options));
}

Result<std::unique_ptr<ModelSource>> DefaultModelSource(const std::string& model) {
  if (model.empty() || model == "demo") return LocalModelSource("");
  std::error_code failed;
  if (LooksLikePath(model) || fs::exists(model, failed)) {
    GPTOSS_TRY(const fs::path path, ExpandHome(model));
    return LocalModelSource(path.string());
  }
  GPTOSS_TRY(HubSourceOptions options, HubSourceOptions::FromEnvironment());
  return HubModelSource(model, std::move(options));
}

Status CheckMayLoad(const Policy& policy, const fs::path& checkpoint, const hub::ManifestStore& installed) {
  GPTOSS_CHECK_OK(policy.CheckPlatform());
  std::error_code failed;
  const fs::path canonical = fs::weakly_canonical(checkpoint, failed);
  const fs::path& path = failed ? checkpoint : canonical;
  const auto manifest = installed.Find(path.string());
  const bool known = manifest && !manifest->repository.empty();
  return policy.CheckModel(known ? manifest->repository : path.string());
}

Status CheckMayLoad(const Policy& policy, const hub::Manifest& manifest, const fs::path& state_folder) {
  GPTOSS_CHECK_OK(policy.CheckPlatform());
  const bool local = manifest.repository.empty();  // files of the user's own
  GPTOSS_CHECK_OK(policy.CheckModel(local ? manifest.folder.string() : manifest.repository));
  if (local || manifest.acknowledgement || !policy.acknowledgement_required()) return {};
  GPTOSS_TRY(const auto known,
             FindAcknowledgement(state_folder, manifest.repository, manifest.commit, manifest.license));
  return policy.CheckLicence(known.has_value(), manifest.repository, manifest.license);
}

}  // namespace gptoss
