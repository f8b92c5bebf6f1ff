// gptoss delete and gptoss export.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

#include "cli/commands.h"
#include "cli/hub_context.h"
#include "cli/install_flow.h"
#include "cli/terminal.h"
#include "hub/archive.h"
#include "hub/cache.h"
#include "hub/transfer.h"
#include "settings/paths.h"

namespace gptoss::cli {
namespace {

namespace fs = std::filesystem;

struct DeleteArguments {
  std::string model, cache_dir;
  bool dry_run = false, yes = false, json = false, quiet = false;
};

// What one name stands for: an installed model, an install that was begun, what others put into the cache.
struct Target {
  std::string model;
  std::optional<hub::Manifest> installed, begun;
  std::vector<hub::DeletionPlan> plans;
  bool partials = false;  // of `begun`: there is no snapshot yet that a plan could speak of
  std::uint64_t freed_bytes = 0, kept_bytes = 0;
};

// Two patterns of one repository may be installed: what the other one needs stays.
std::vector<std::string> NeededByOthers(const fs::path& state, const std::string& model,
                                        const std::string& repository, const std::string& commit) {
  std::vector<std::string> names;
  for (const hub::Manifest& other : hub::ManifestStore(state).List()) {
    if (other.model == model || other.repository != repository || other.commit != commit) continue;
    for (const hub::ManifestFile& file : other.files) names.push_back(file.path);
  }
  return names;
}

Status AddPlan(Target& target, const fs::path& state, const fs::path& cache, const std::string& repository,
               const std::string& commit) {
  auto plan = hub::PlanDeletion(hub::RepositoryCache(cache, repository), commit,
                                NeededByOthers(state, target.model, repository, commit));
  if (!plan && plan.error().code == ErrorCode::kNotFound) return {};  // somebody else has deleted it
  if (!plan) return std::unexpected(std::move(plan).error());
  target.freed_bytes += plan->freed_bytes;
  target.kept_bytes += plan->kept_bytes;
  target.plans.push_back(std::move(*plan));
  return {};
}

// org/name[@commit] as another program left it in the shared cache.
Status FindInCache(Target& target, const fs::path& state, const fs::path& cache) {
  const std::size_t at = target.model.find('@');
  const std::string repository = target.model.substr(0, at);
  const std::string revision = at == std::string::npos ? std::string() : target.model.substr(at + 1);
  for (const hub::CachedSnapshot& snapshot : hub::ScanCache(cache)) {
    const bool named = revision.empty() ||
                       std::ranges::find(snapshot.refs, revision) != snapshot.refs.end() ||
                       (revision.size() >= 7 && snapshot.commit.starts_with(revision));
    if (snapshot.repository == repository && named)
      GPTOSS_CHECK_OK(AddPlan(target, state, cache, repository, snapshot.commit));
  }
  return {};
}

Result<Target> FindTarget(const DeleteArguments& arguments, const fs::path& state) {
  Target target{.model = arguments.model};
  auto installed = hub::ManifestStore(state).Find(arguments.model);
  if (auto begun = hub::ManifestStore(state, "installing").Find(arguments.model))
    target.begun = std::move(*begun);
  if (installed) {
    target.installed = *installed;
    target.model = installed->model;
    if (const fs::path cache = CacheOf(*installed); !cache.empty())
      GPTOSS_CHECK_OK(AddPlan(target, state, cache, installed->repository, installed->commit));
  } else if (installed.error().code != ErrorCode::kNotFound) {
    return std::unexpected(std::move(installed).error());
  }
  if (target.begun && !(target.installed && target.installed->commit == target.begun->commit)) {
    target.model = target.begun->model;
    GPTOSS_CHECK_OK(
        AddPlan(target, state, CacheOf(*target.begun), target.begun->repository, target.begun->commit));
    std::error_code error;
    target.partials = !fs::exists(target.begun->folder, error);
    if (target.partials) target.freed_bytes += hub::DurableBytes(JobsOf(*target.begun));
  }
  if (!target.installed && !target.begun) {
    GPTOSS_CHECK_OK(FindInCache(target, state, SharedCache(arguments.cache_dir)));
    if (target.plans.empty()) return std::unexpected(std::move(installed).error());
  }
  return target;
}

void SayDeletion(const DeleteArguments& arguments, const Target& target, bool done) {
  if (arguments.json) {
    Json remove = Json::array();
    for (const hub::DeletionPlan& plan : target.plans)
      for (const fs::path& path : plan.remove) remove.push_back(path.string());
    WriteJsonLine({{"type", done ? "deleted" : "plan"},
                   {"model", target.model},
                   {"freed_bytes", target.freed_bytes},
                   {"kept_bytes", target.kept_bytes},
                   {"remove", std::move(remove)}});
    return;
  }
  if (arguments.quiet) return;
  std::string text;
  if (target.plans.empty() && !target.partials) {
    text = fmt::format("{}{} forgotten; its files in {} stay", target.model, done ? " is" : " would be",
                       target.installed ? target.installed->folder.string() : std::string("the cache"));
  } else {
    text = fmt::format("{}{} deleted: {} freed", target.model, done ? " is" : " would be",
                       HumanBytes(target.freed_bytes));
    if (target.kept_bytes > 0)
      text += fmt::format(", {} kept for other revisions and programs", HumanBytes(target.kept_bytes));
  }
  StandardOutput().Write(WithoutControls(text) + "\n");
}

// Files that came whole and those that did not: links make a snapshot of the first, and with it goes all.
Status DropBegun(const hub::Manifest& begun) {
  const hub::RepositoryCache cache(CacheOf(begun), begun.repository);
  std::error_code error;
  if (!fs::is_directory(cache.folder(), error)) return {};
  std::vector<hub::FileEntry> whole;
  for (const hub::BlobJob& job : JobsOf(begun))
    if (hub::FindContent(cache, begun.commit, job.file)) whole.push_back(job.file);
  GPTOSS_CHECK_OK(hub::PublishSnapshot(cache, begun.commit, whole, true));
  fs::create_directories(cache.snapshot(begun.commit), error);
  GPTOSS_TRY(const hub::DeletionPlan plan, hub::PlanDeletion(cache, begun.commit));
  return hub::Delete(plan);
}

Status Carry(const Target& target, const fs::path& state) {
  // The record goes first: a model that is half deleted is not offered any more.
  if (target.installed) GPTOSS_CHECK_OK(hub::ManifestStore(state).Remove(*target.installed));
  for (const hub::DeletionPlan& plan : target.plans) GPTOSS_CHECK_OK(hub::Delete(plan));
  if (target.partials && target.begun) GPTOSS_CHECK_OK(DropBegun(*target.begun));
  if (target.begun) GPTOSS_CHECK_OK(hub::ManifestStore(state, "installing").Remove(*target.begun));
  return {};
}

Result<int> DeleteModel(const DeleteArguments& arguments) {
  GPTOSS_TRY(const fs::path state, StateDirectory());
  GPTOSS_TRY(const Target target, FindTarget(arguments, state));
  if (arguments.dry_run) {
    SayDeletion(arguments, target, false);
    return 0;
  }
  if (!arguments.yes) {
    if (arguments.json || !CanAsk())
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("deleting {} frees {}; say --yes to do it, --dry-run to see what would go",
                              target.model, HumanBytes(target.freed_bytes)));
    HubSession session;
    GPTOSS_TRY(const bool sure, session.AskYesNo(fmt::format("Delete {} and free {}?", target.model,
                                                             HumanBytes(target.freed_bytes)),
                                                 false));
    if (!sure) return 1;
  }
  GPTOSS_CHECK_OK(Carry(target, state));
  SayDeletion(arguments, target, true);
  return 0;
}

struct ExportArguments {
  std::string model, destination;
  bool json = false, quiet = false;
};

Result<int> ExportModel(const ExportArguments& arguments) {
  GPTOSS_TRY(const hub::ManifestStore installed, OpenInstalledModels());
  GPTOSS_TRY(const hub::Manifest manifest, installed.Find(arguments.model));
  GPTOSS_CHECK_OK(hub::RequireIntact(manifest));
  GPTOSS_TRY(const fs::path destination, ExpandHome(arguments.destination));
  HubSession session;
  ProgressDisplay display(StyleFor(arguments.json, arguments.quiet), StandardOutput(), StandardError(),
                          session.pause());
  const bool tar = destination.extension() == ".tar";
  GPTOSS_CHECK_OK(tar ? hub::ExportToTar(manifest, destination, display.observer(), session.token())
                      : hub::ExportToFolder(manifest, destination, display.observer(), session.token()));
  display.Finish();
  if (arguments.json) {
    WriteJsonLine({{"type", "done"},
                   {"model", manifest.model},
                   {"path", destination.string()},
                   {"total_bytes", hub::TotalBytes(manifest)}});
  } else if (!arguments.quiet) {
    StandardOutput().Write(WithoutControls(
        fmt::format("{} is in {}: {}, every byte verified. On the other machine:  gptoss install --from {}\n",
                    manifest.model, destination.string(), HumanBytes(hub::TotalBytes(manifest)),
                    ShellQuoted(destination.filename().string()))));
  }
  return 0;
}

}  // namespace

void AddDeleteCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<DeleteArguments>();
  CLI::App* command = app.add_subcommand("delete", "Remove a model, or what an unfinished install left");
  command
      ->add_option("model", arguments->model, "A model of gptoss list; with @COMMIT an older version of it")
      ->type_name("MODEL")
      ->required();
  command->add_flag("--dry-run", arguments->dry_run, "Only say how much it would free");
  command->add_option("--cache-dir", arguments->cache_dir, "Folder for models")->type_name("PATH");
  command->add_flag("-y,--yes", arguments->yes, "Do not ask");
  command->add_flag("--json", arguments->json, "One JSON object");
  command->add_flag("-q,--quiet", arguments->quiet, "Say nothing but errors");
  command->footer("What other revisions or other programs need stays.");
  command->callback([arguments, &exit_code] {
    const auto result = DeleteModel(*arguments);
    exit_code = result ? *result : FailCommand(result.error(), arguments->json);
  });
}

void AddExportCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command =
      app.add_subcommand("export", "Copy a model to a folder or .tar, for a machine without a network");
  command->add_option("model", arguments->model, "An installed model")->type_name("MODEL")->required();
  command->add_option("destination", arguments->destination, "A new folder, or a new file that ends in .tar")
      ->type_name("PATH")
      ->required();
  command->add_flag("--json", arguments->json, "One JSON object per event on stdout");
  command->add_flag("-q,--quiet", arguments->quiet, "Say nothing but errors");
  command->callback([arguments, &exit_code] {
    const auto result = ExportModel(*arguments);
    exit_code = result ? *result : FailCommand(result.error(), arguments->json);
  });
}

}  // namespace gptoss::cli
