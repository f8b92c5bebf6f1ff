// gptoss install and gptoss update.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "cli/commands.h"
#include "cli/hub_context.h"
#include "cli/install_flow.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "hub/archive.h"
#include "hub/cache.h"
#include "hub/catalog.h"
#include "hub/local_model.h"
#include "settings/paths.h"

namespace gptoss::cli {
namespace {

namespace fs = std::filesystem;

struct InstallArguments {
  std::string model, revision, from, cache_dir;
  std::vector<std::string> include, exclude;
  bool accept_license = false, yes = false, json = false, quiet = false;
};

// What a person pastes to go on with what was interrupted.
std::string CommandLine(const InstallArguments& arguments) {
  std::string line = "gptoss install";
  const auto add = [&](std::string_view option, const std::string& value) {
    if (!value.empty()) line += fmt::format(" {}{}", option, ShellQuoted(value));
  };
  add("", arguments.model);
  add("--revision ", arguments.revision);
  for (const std::string& pattern : arguments.include) add("--include ", pattern);
  for (const std::string& pattern : arguments.exclude) add("--exclude ", pattern);
  add("--from ", arguments.from);
  add("--cache-dir ", arguments.cache_dir);
  return line;
}

InstallRequest RequestFor(const InstallArguments& arguments) {
  InstallRequest request;
  request.model = arguments.model;
  request.options.revision = arguments.revision;
  request.options.include = arguments.include;
  request.options.exclude = arguments.exclude;
  request.command = CommandLine(arguments);
  request.accept_license = arguments.accept_license;
  request.yes = arguments.yes;
  request.json = arguments.json;
  request.quiet = arguments.quiet;
  return request;
}

// A path is one by its look: names of the Hub begin with neither '.', '/' nor '~'. A file beside us that ends
// as a model does is one as well.
bool NamesPath(const std::string& model) {
  if (model.empty()) return false;
  std::error_code error;
  return model.front() == '/' || model.front() == '.' || model.front() == '~' ||
         (model.ends_with(".gguf") && fs::is_regular_file(model, error));
}

// What the command line asks for: --revision, else org/name@revision, else that of the catalog.
std::string WantedRevision(const InstallArguments& arguments) {
  if (!arguments.revision.empty()) return arguments.revision;
  if (const hub::CatalogEntry* entry = hub::FindInCatalog(arguments.model)) return entry->revision;
  const auto reference = hub::ParseModelReference(arguments.model);
  return reference ? reference->revision : std::string();
}

bool SameSelection(const hub::Manifest& manifest, const InstallArguments& arguments) {
  const std::string revision = WantedRevision(arguments);
  return (revision == manifest.revision || revision == manifest.commit) &&
         arguments.include == manifest.include && arguments.exclude == manifest.exclude;
}

// In the cache that this command would install into, or in a folder of its own.
bool InThisCache(const hub::Manifest& manifest, const HubContext& context) {
  const fs::path cache = CacheOf(manifest);
  std::error_code error;
  return cache.empty() || cache == fs::path(context.options.cache_dir) ||
         fs::equivalent(cache, context.options.cache_dir, error);
}

// Another program may have moved or deleted the ref since: then there is something to plan.
bool RefIsThere(const hub::Manifest& manifest) {
  const fs::path cache = CacheOf(manifest);
  if (cache.empty() || manifest.revision == manifest.commit) return true;
  return hub::ReadRef(hub::RepositoryCache(cache, manifest.repository), manifest.revision) == manifest.commit;
}

// A model that is installed and asked for again: complete, or put right without asking what is newest.
// nullopt: there is something to plan.
Result<std::optional<int>> InstallAgain(const InstallArguments& arguments, const HubContext& context) {
  const auto found = context.installed.Find(arguments.model);
  if (!found || !SameSelection(*found, arguments) || !InThisCache(*found, context) || !RefIsThere(*found))
    return std::nullopt;
  hub::Manifest manifest = *found;
  hub::IntegrityReport report = hub::QuickCheck(manifest);
  if (report.state == hub::Integrity::kVerified) {
    SayInstalled(manifest, true, arguments.json, arguments.quiet);
    return 0;
  }
  HubSession session;
  if (report.state == hub::Integrity::kChanged) {
    GPTOSS_TRY(report, CheckAllHashes(session, manifest, arguments.json, arguments.quiet));
  }
  if (report.state == hub::Integrity::kVerified) {
    GPTOSS_CHECK_OK(hub::StampVerified(manifest, Version()));
    GPTOSS_CHECK_OK(context.installed.Write(manifest));
  } else {
    GPTOSS_TRY(manifest,
               RepairInstalled(context, session, manifest, report, arguments.json, arguments.quiet));
  }
  SayInstalled(manifest, true, arguments.json, arguments.quiet);
  return 0;
}

Result<int> InstallLocal(const InstallArguments& arguments) {
  GPTOSS_TRY(const HubContext context, OpenHubContext(arguments.cache_dir));
  GPTOSS_CHECK_OK(CheckStateFolder(context));
  GPTOSS_TRY(const fs::path path, ExpandHome(arguments.model));
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  if (error)
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("cannot use {}: {}", path.string(), error.message()));
  GPTOSS_CHECK_OK(context.policy.CheckModel(canonical.string()));
  HubSession session;
  ProgressDisplay display(StyleFor(arguments.json, arguments.quiet), StandardOutput(), StandardError(),
                          session.pause());
  GPTOSS_TRY(hub::Manifest manifest,
             hub::ManifestOfLocalModel(canonical, Version(), session.token(), display.observer()));
  display.Finish();
  if (const auto other = context.installed.Find(manifest.model);
      other && other->model == manifest.model && other->folder != manifest.folder)
    return Fail(
        ErrorCode::kAlreadyExists,
        fmt::format("another model is called {} ({}); delete it first with 'gptoss delete {}', or rename the "
                    "folder",
                    manifest.model, other->folder.string(), ShellQuoted(manifest.model)));
  GPTOSS_CHECK_OK(context.installed.Write(manifest));
  SayInstalled(manifest, false, arguments.json, arguments.quiet);
  return 0;
}

// What the model that is being imported says of itself, for the licence: from the manifest in the export.
Result<int> InstallFromFiles(const InstallArguments& arguments) {
  GPTOSS_TRY(const HubContext context, OpenHubContext(arguments.cache_dir));
  GPTOSS_CHECK_OK(CheckStateFolder(context));
  HubSession session;
  GPTOSS_TRY(const ImportSource source,
             OpenImport(context, session, arguments.from, arguments.json, arguments.quiet));
  InstallRequest request = RequestFor(arguments);
  GPTOSS_TRY(const hub::Manifest manifest, InstallImported(context, session, std::move(request), source));
  SayInstalled(manifest, false, arguments.json, arguments.quiet);
  return 0;
}

// "" where the name is none: planning says so.
std::string RepositoryOf(const std::string& model) {
  if (const hub::CatalogEntry* entry = hub::FindInCatalog(model)) return entry->repository;
  const auto reference = hub::ParseModelReference(model);
  return reference ? reference->repository : "";
}

Result<int> Install(InstallArguments arguments) {
  if (arguments.from.empty() && NamesPath(arguments.model)) return InstallLocal(arguments);
  if (arguments.model.empty() && arguments.from.empty()) {
    if (const hub::CatalogEntry* entry = hub::FindInCatalog("")) arguments.model = entry->name;
  }
  if (!arguments.from.empty()) return InstallFromFiles(arguments);
  GPTOSS_TRY(const HubContext context, OpenHubContext(arguments.cache_dir));
  GPTOSS_TRY(const std::optional<int> again, InstallAgain(arguments, context));
  if (again) return *again;
  GPTOSS_CHECK_OK(CheckStateFolder(context));
  HubSession session;
  GPTOSS_CHECK_OK(context.policy.CheckNetworkInstall());
  GPTOSS_CHECK_OK(context.policy.CheckPlatform());
  if (const std::string repository = RepositoryOf(arguments.model); !repository.empty())
    GPTOSS_CHECK_OK(context.policy.CheckModel(repository));  // before the Hub is asked
  InstallRequest request = RequestFor(arguments);
  GPTOSS_TRY(const auto installer, OpenInstaller(context, arguments.json, arguments.quiet));
  GPTOSS_TRY(const hub::InstallPlan plan, installer->Plan(arguments.model, request.options, session.token()));
  GPTOSS_TRY(const hub::Manifest manifest,
             InstallPlanned(context, *installer, session, std::move(request), plan));
  SayInstalled(manifest, false, arguments.json, arguments.quiet);
  return 0;
}

struct UpdateArguments {
  std::string model, cache_dir;
  bool check = false, accept_license = false, yes = false, json = false, quiet = false;
};

void SayUpdate(const UpdateArguments& arguments, const hub::Manifest& manifest,
               const hub::InstallPlan& plan) {
  const bool newer = plan.listing.commit != manifest.commit;
  const std::uint64_t missing = plan.total_bytes - std::min(plan.present_bytes, plan.total_bytes);
  if (arguments.json) {
    WriteJsonLine({{"type", "update"},
                   {"model", manifest.model},
                   {"installed", manifest.commit},
                   {"latest", plan.listing.commit},
                   {"available", newer},
                   {"missing_bytes", newer ? missing : 0}});
  } else if (!newer && !arguments.quiet) {
    StandardOutput().Write(fmt::format("{} is up to date: commit {}\n", manifest.model,
                                       manifest.commit.substr(0, kShortCommit)));
  } else if (newer && !arguments.quiet) {
    StandardOutput().Write(fmt::format("{} has a newer version: commit {} (installed: {}), {} to fetch\n",
                                       manifest.model, plan.listing.commit.substr(0, kShortCommit),
                                       manifest.commit.substr(0, kShortCommit), HumanBytes(missing)));
  }
}

// What the version before still takes, once nothing points at it any more.
void SayOldVersion(const HubContext& context, const hub::Manifest& old, bool quiet) {
  const hub::RepositoryCache cache(context.options.cache_dir, old.repository);
  const auto plan = hub::PlanDeletion(cache, old.commit);
  if (!plan || plan->freed_bytes == 0 || quiet) return;
  Remark(fmt::format("the version before still takes {}; to free them:  gptoss delete {}",
                     HumanBytes(plan->freed_bytes),
                     ShellQuoted(fmt::format("{}@{}", old.repository, old.commit.substr(0, kShortCommit)))));
}

Result<int> Update(const UpdateArguments& arguments) {
  GPTOSS_TRY(const HubContext context, OpenHubContext(arguments.cache_dir));
  GPTOSS_TRY(const hub::Manifest manifest, context.installed.Find(arguments.model));
  if (manifest.repository.empty())
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} is a local folder ({}); there is nowhere to look for a newer one",
                            manifest.model, manifest.folder.string()));
  GPTOSS_CHECK_OK(context.policy.CheckNetworkInstall());
  GPTOSS_CHECK_OK(CheckStateFolder(context));
  HubSession session;
  InstallRequest request;
  request.model = manifest.model;
  request.options.revision = manifest.revision;
  request.options.include = manifest.include;
  request.options.exclude = manifest.exclude;
  request.command = fmt::format("gptoss update {}", ShellQuoted(manifest.model));
  request.accept_license = arguments.accept_license;
  request.yes = arguments.yes;
  request.json = arguments.json;
  request.quiet = arguments.quiet;
  GPTOSS_TRY(const auto installer, OpenInstaller(context, arguments.json, arguments.quiet));
  GPTOSS_TRY(const hub::InstallPlan plan, installer->Plan(manifest.model, request.options, session.token()));
  SayUpdate(arguments, manifest, plan);
  if (plan.listing.commit == manifest.commit || arguments.check) return 0;
  GPTOSS_TRY(const hub::Manifest updated,
             InstallPlanned(context, *installer, session, std::move(request), plan));
  SayInstalled(updated, false, arguments.json, arguments.quiet);
  SayOldVersion(context, manifest, arguments.quiet || arguments.json);
  return 0;
}

}  // namespace

void AddInstallCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<InstallArguments>();
  CLI::App* install = app.add_subcommand(
      "install", "Download a model, verify every byte, and keep it where other tools find it");
  install
      ->add_option(
          "model", arguments->model,
          "A name (gptoss list --catalog), org/name[@revision][:pattern], or a folder or .gguf file of "
          "yours (default: gpt-oss-20b)")
      ->type_name("MODEL");
  install->add_option("--revision", arguments->revision, "Branch, tag or commit")->type_name("REVISION");
  install->add_option("--include", arguments->include, "Only files that match; may be repeated")
      ->type_name("GLOB");
  install->add_option("--exclude", arguments->exclude, "No files that match; may be repeated")
      ->type_name("GLOB");
  install->add_option("--from", arguments->from, "Without a network: a folder or .tar made by gptoss export")
      ->type_name("PATH");
  install
      ->add_option("--cache-dir", arguments->cache_dir, "Folder for models (default: the Hub's shared cache)")
      ->type_name("PATH");
  install->add_flag("--accept-license", arguments->accept_license,
                    "Accept the model's licence; it is recorded");
  install->add_flag("-y,--yes", arguments->yes, "Answer all other questions with yes");
  install->add_flag("--json", arguments->json, "One JSON object per event on stdout");
  install->add_flag("-q,--quiet", arguments->quiet, "Say nothing but errors");
  install->footer(
      "Ctrl-C keeps what has come; the same command goes on from there. Ctrl-Z pauses, fg goes on.");
  install->callback([arguments, &exit_code] {
    const auto result = Install(*arguments);
    exit_code = result ? *result : FailCommand(result.error(), arguments->json);
  });
}

void AddUpdateCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<UpdateArguments>();
  CLI::App* update =
      app.add_subcommand("update", "Fetch what has changed in an installed model's repository");
  update->add_option("model", arguments->model, "An installed model (default: gpt-oss-20b)")
      ->type_name("MODEL");
  update->add_flag("--check", arguments->check, "Only say whether there is something newer");
  update->add_option("--cache-dir", arguments->cache_dir, "Folder for models")->type_name("PATH");
  update->add_flag("--accept-license", arguments->accept_license,
                   "Accept the licence, should it have changed");
  update->add_flag("-y,--yes", arguments->yes, "Answer all other questions with yes");
  update->add_flag("--json", arguments->json, "One JSON object per event on stdout");
  update->add_flag("-q,--quiet", arguments->quiet, "Say nothing but errors");
  update->callback([arguments, &exit_code] {
    const auto result = Update(*arguments);
    exit_code = result ? *result : FailCommand(result.error(), arguments->json);
  });
}

}  // namespace gptoss::cli
