// gptoss install --from: what an export on a USB disk or a shared folder becomes.
#include <fmt/format.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "base/file.h"
#include "cli/install_flow.h"
#include "cli/license_flow.h"
#include "cli/terminal.h"
#include "hub/archive.h"
#include "hub/catalog.h"
#include "settings/paths.h"

namespace gptoss::cli {
namespace {

namespace fs = std::filesystem;

}  // namespace

ImportSource::ImportSource(ImportSource&& other) noexcept
    : folder(std::move(other.folder)),
      manifest(std::move(other.manifest)),
      temporary(std::exchange(other.temporary, fs::path())) {}

ImportSource::~ImportSource() {
  std::error_code error;
  if (!temporary.empty()) fs::remove_all(temporary, error);
}

Result<ImportSource> OpenImport(const HubContext& context, HubSession& session, const std::string& from,
                                bool json, bool quiet) {
  GPTOSS_TRY(const fs::path path, ExpandHome(from));
  ImportSource source;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    source.folder = fs::absolute(path, error);
  } else if (fs::is_regular_file(path, error)) {
    // On the cache's own disk: what is unpacked there can be moved into place.
    const fs::path cache = context.options.cache_dir;
    fs::create_directories(cache.parent_path(), error);
    source.temporary = cache.parent_path() / fmt::format(".gptoss-import-{}", ::getpid());
    ProgressDisplay display(StyleFor(json, quiet), StandardOutput(), StandardError(), session.pause());
    GPTOSS_TRY(source.folder, hub::UnpackTar(path, source.temporary, display.observer(), session.token()));
  } else {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no folder or tar archive {}; --from takes what 'gptoss export' makes",
                            path.string()));
  }
  const fs::path listed = source.folder / hub::kExportedManifest;
  if (!fs::exists(listed, error)) return source;
  GPTOSS_TRY(const std::string text, ReadFile(listed, hub::kMaxManifestBytes));
  auto manifest = hub::ParseManifest(text);
  if (!manifest) return std::unexpected(std::move(manifest).error().Within(listed.string()));
  source.manifest = std::move(*manifest);
  return source;
}

Result<hub::Manifest> InstallImported(const HubContext& context, HubSession& session, InstallRequest request,
                                      const ImportSource& source) {
  Licensed what{.model = request.model, .repository = request.model};
  if (source.manifest) {
    if (what.model.empty()) what.model = source.manifest->model;
    what.repository = source.manifest->repository;
    what.commit = source.manifest->commit;
    what.license = source.manifest->license;
  } else if (const hub::CatalogEntry* entry = hub::FindInCatalog(request.model);
             entry != nullptr && !request.model.empty()) {
    what.repository = entry->repository;
    what.license = entry->license;
  }
  if (what.license.empty()) what.license = kNoLicense;
  if (what.model.empty())
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} does not say which model it is; name it, as in: gptoss install MODEL --from {}",
                    source.folder.string(), ShellQuoted(source.folder.string())));
  GPTOSS_CHECK_OK(context.policy.CheckModel(what.repository));
  if (!request.json && !request.quiet) {
    StandardError().Write(WithoutControls(fmt::format(
        "{} from {}\n  licence   {}\n", what.model, source.folder.string(), LicenseTitle(what.license, ""))));
  }
  GPTOSS_TRY(request.options.acknowledged_how,
             Acknowledge(context, session, what, request.accept_license, !request.json));
  request.options.source_is_ours = !source.temporary.empty();
  GPTOSS_TRY(const auto installer, OpenInstaller(context, request.json, request.quiet));
  ProgressDisplay display(StyleFor(request.json, request.quiet), StandardOutput(), StandardError(),
                          session.pause());
  return installer->InstallFrom(source.folder, what.model, request.options, display.observer(),
                                session.token());
}

}  // namespace gptoss::cli
