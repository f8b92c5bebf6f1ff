// gptoss list and gptoss show: what is here, and what is known of it. Neither uses the network.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/hub_context.h"
#include "cli/install_flow.h"
#include "cli/license_flow.h"
#include "cli/terminal.h"
#include "hub/cache.h"
#include "hub/catalog.h"
#include "hub/transfer.h"
#include "settings/paths.h"

namespace gptoss::cli {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::string model, state, repository, commit, folder;
  std::uint64_t bytes = 0, done_bytes = 0;
  std::vector<std::string> notes;  // problems and drifts
};

Row RowOf(const hub::Manifest& manifest) {
  const hub::IntegrityReport report = hub::QuickCheck(manifest);
  Row row{.model = manifest.model,
          .state = std::string(hub::IntegrityName(report.state)),
          .repository = manifest.repository,
          .commit = manifest.commit,
          .folder = manifest.folder.string(),
          .bytes = hub::TotalBytes(manifest)};
  row.done_bytes = row.bytes;
  for (const auto& problem : report.problems) {
    row.notes.push_back(fmt::format("{}: {}", problem.path, problem.what));
    for (const hub::ManifestFile& file : manifest.files)
      if (file.path == problem.path && problem.what == "missing") row.done_bytes -= file.size;
  }
  row.notes.insert(row.notes.end(), report.drifts.begin(), report.drifts.end());
  return row;
}

std::uint64_t FolderBytes(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const auto size = it->is_regular_file(ignored) ? fs::file_size(it->path(), ignored) : 0;
    if (!ignored) bytes += size;
  }
  return bytes;
}

struct Everything {
  std::vector<Row> installed, installing, found;
  std::vector<std::string> problems;
};

Result<Everything> LookAround(const std::string& cache_dir) {
  Everything all;
  GPTOSS_TRY(const fs::path state, StateDirectory());
  const std::vector<hub::Manifest> manifests = hub::ManifestStore(state).List(&all.problems);
  for (const hub::Manifest& manifest : manifests) all.installed.push_back(RowOf(manifest));
  for (const hub::Manifest& manifest : hub::ManifestStore(state, "installing").List()) {
    Row row = RowOf(manifest);
    row.state = "incomplete";
    row.done_bytes = hub::DurableBytes(JobsOf(manifest));
    row.notes.clear();
    all.installing.push_back(std::move(row));
  }
  const auto ours = [&](const hub::CachedSnapshot& snapshot) {
    return std::ranges::any_of(manifests, [&](const hub::Manifest& manifest) {
      return manifest.repository == snapshot.repository && manifest.commit == snapshot.commit;
    });
  };
  for (const hub::CachedSnapshot& snapshot : hub::ScanCache(SharedCache(cache_dir))) {
    if (ours(snapshot)) continue;
    all.found.push_back({.model = snapshot.repository,
                         .state = "not verified",
                         .repository = snapshot.repository,
                         .commit = snapshot.commit,
                         .folder = snapshot.folder.string(),
                         .bytes = FolderBytes(snapshot.folder)});
    all.found.back().done_bytes = all.found.back().bytes;
  }
  return all;
}

Json RowJson(const Row& row) {
  return {{"model", row.model},   {"state", row.state},       {"repository", row.repository},
          {"commit", row.commit}, {"total_bytes", row.bytes}, {"present_bytes", row.done_bytes},
          {"folder", row.folder}, {"notes", row.notes}};
}

Json RowsJson(const std::vector<Row>& rows) {
  Json array = Json::array();
  for (const Row& row : rows) array.push_back(RowJson(row));
  return array;
}

// Columns as wide as they need to be; the folder last, whatever its length.
std::string Table(const std::vector<Row>& rows) {
  std::size_t model = 0, size = 0, state = 0;
  std::vector<std::string> sizes;
  for (const Row& row : rows) {
    sizes.push_back(row.done_bytes == row.bytes
                        ? HumanBytes(row.bytes)
                        : fmt::format("{} of {}", HumanBytes(row.done_bytes), HumanBytes(row.bytes)));
    model = std::max(model, row.model.size());
    size = std::max(size, sizes.back().size());
    state = std::max(state, row.state.size());
  }
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    text += fmt::format("{:<{}}  {:>{}}  {:<{}}  {:<{}}  {}\n", row.model, model, sizes[i], size, row.state,
                        state, row.commit.empty() ? "local" : row.commit.substr(0, kShortCommit),
                        kShortCommit, row.folder);
    for (const std::string& note : row.notes) text += fmt::format("  {}\n", note);
  }
  return text;
}

int List(const std::string& cache_dir, bool json) {
  const auto all = LookAround(cache_dir);
  if (!all) return FailCommand(all.error(), false);
  for (const std::string& problem : all->problems) Complain(problem);
  if (json) {
    WriteJsonLine({{"schema", 1},
                   {"installed", RowsJson(all->installed)},
                   {"incomplete", RowsJson(all->installing)},
                   {"found", RowsJson(all->found)}});
    return all->problems.empty() ? 0 : 1;
  }
  std::string text = Table(all->installed);
  if (!all->installing.empty()) {
    text += fmt::format(
        "{}Begun and not finished (gptoss install MODEL goes on, gptoss delete MODEL drops it):\n{}",
        text.empty() ? "" : "\n", Table(all->installing));
  }
  if (!all->found.empty()) {
    text += fmt::format(
        "{}In the shared cache, put there by other programs (gptoss install MODEL verifies and takes "
        "it):\n{}",
        text.empty() ? "" : "\n", Table(all->found));
  }
  if (text.empty())
    text =
        "No model is installed. 'gptoss install' installs gpt-oss-20b; 'gptoss list --catalog' shows "
        "others.\n";
  StandardOutput().Write(WithoutControls(text));
  return all->problems.empty() ? 0 : 1;
}

Json EntryJson(const hub::CatalogEntry& entry) {
  return {{"model", entry.name},
          {"title", entry.title},
          {"repository", entry.repository},
          {"include", entry.include},
          {"exclude", entry.exclude},
          {"approximate_bytes", entry.approximate_bytes},
          {"license", entry.license},
          {"memory_floor_bytes", entry.memory_floor_bytes},
          {"memory_advised_bytes", entry.memory_advised_bytes},
          {"layout", entry.layout}};
}

// What the catalog knows; the listing of the moment decides.
std::string About(std::uint64_t bytes) { return bytes == 0 ? "not known" : "about " + HumanBytes(bytes); }

void ListCatalog(bool json) {
  if (json) {
    Json models = Json::array();
    for (const hub::CatalogEntry& entry : hub::Catalog()) models.push_back(EntryJson(entry));
    WriteJsonLine({{"schema", 1}, {"catalog", std::move(models)}});
    return;
  }
  std::size_t width = 0;
  for (const hub::CatalogEntry& entry : hub::Catalog()) width = std::max(width, entry.name.size());
  std::string text;
  for (const hub::CatalogEntry& entry : hub::Catalog())
    text += fmt::format("{:<{}}  {:>13}  {:<10}  {}\n", entry.name, width, About(entry.approximate_bytes),
                        entry.license, entry.title);
  text += "\nAny other repository works as org/name[@revision][:pattern].\n";
  StandardOutput().Write(text);
}

// For shells that complete names: looks at no file of any model.
int ListNames(bool catalog) {
  std::string text;
  if (catalog) {
    for (const hub::CatalogEntry& entry : hub::Catalog()) text += entry.name + "\n";
  } else {
    const auto installed = OpenInstalledModels();
    if (!installed) return FailCommand(installed.error(), false);
    for (const hub::Manifest& manifest : installed->List()) text += manifest.model + "\n";
  }
  StandardOutput().Write(WithoutControls(text));
  return 0;
}

struct Shown {
  const hub::CatalogEntry* entry = nullptr;
  std::optional<hub::Manifest> manifest;
};

// The text that the model brought along, else the one that ships with us.
std::optional<std::string> TextOfLicense(const Shown& shown, const std::string& license) {
  if (shown.manifest) {
    for (const hub::ManifestFile& file : shown.manifest->files) {
      if (file.role != "license" || !file.path.starts_with("LICEN")) continue;
      auto text = ReadFile(shown.manifest->folder / file.path, 1 << 20);
      if (text) return *text;
    }
  }
  const auto text = hub::LicenseText(license);
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

Result<int> ShowLicense(const Shown& shown, const std::string& license) {
  if (const auto text = TextOfLicense(shown, license)) {
    StandardOutput().Write(WithoutControls(*text));
    return 0;
  }
  const hub::LicenseInfo* info = hub::FindLicense(license);
  const std::string repository = shown.manifest ? shown.manifest->repository : shown.entry->repository;
  StandardOutput().Write(WithoutControls(
      info != nullptr
          ? fmt::format("{}\n{}\nThe whole text: {}\n", info->name, info->summary, info->url)
          : fmt::format("The text does not ship with gptoss. Read it at https://huggingface.co/{}\n",
                        repository)));
  return 0;
}

Json ShowJson(const Shown& shown) {
  Json out{{"schema", 1}, {"catalog", shown.entry != nullptr ? EntryJson(*shown.entry) : Json(nullptr)}};
  if (!shown.manifest) {
    out["installed"] = nullptr;
    return out;
  }
  const auto manifest = ParseJson(hub::ManifestToJson(*shown.manifest));
  out["installed"] = manifest ? *manifest : Json(nullptr);
  out["state"] = RowJson(RowOf(*shown.manifest))["state"];
  out["notes"] = RowOf(*shown.manifest).notes;
  out["path"] = hub::CheckpointPath(*shown.manifest).string();
  return out;
}

void AddFact(std::string& text, std::string_view name, const std::string& value) {
  if (!value.empty()) text += fmt::format("  {:<13} {}\n", name, value);
}

std::string PinText(const std::string& sha256) {
  if (sha256.empty()) return "";
  const auto known = hub::KnownPin(sha256);
  return known ? fmt::format("{}, as known", *known)
               : fmt::format("SHA-256 {}, not one that is known", sha256);
}

std::string ShowInstalled(const hub::Manifest& manifest) {
  const Row row = RowOf(manifest);
  std::string text;
  AddFact(
      text, "state",
      fmt::format("{} (verified {} by gptoss {})", row.state, manifest.verified_at, manifest.verified_by));
  for (const std::string& note : row.notes) AddFact(text, "", note);
  if (!manifest.repository.empty())
    AddFact(text, "from",
            fmt::format("{} at {} ({})", manifest.repository, manifest.commit, manifest.revision));
  AddFact(text, "where", manifest.folder.string());
  AddFact(text, "licence", manifest.license.empty() ? "" : LicenseTitle(manifest.license, ""));
  if (const auto& given = manifest.acknowledgement)
    AddFact(
        text, "accepted",
        fmt::format("{} ({}), commit {}", given->time, given->how, given->commit.substr(0, kShortCommit)));
  AddFact(text, "tokenizer", PinText(manifest.tokenizer_pin));
  AddFact(text, "chat template", PinText(manifest.chat_template_pin));
  AddFact(text, "size", fmt::format("{} in {} files", HumanBytes(row.bytes), manifest.files.size()));
  for (const hub::ManifestFile& file : manifest.files)
    AddFact(text, "",
            fmt::format("{:>8}  {}  {}", HumanBytes(file.size), file.hash.hex.substr(0, 12), file.path));
  return text;
}

std::string ShowEntry(const hub::CatalogEntry& entry) {
  std::string text;
  AddFact(text, "state", fmt::format("not installed (gptoss install {})", entry.name));
  AddFact(text, "from", entry.repository);
  AddFact(text, "size", About(entry.approximate_bytes));
  AddFact(text, "memory", entry.memory_advice);
  AddFact(text, "licence", LicenseTitle(entry.license, ""));
  if (const hub::LicenseInfo* license = hub::FindLicense(entry.license)) {
    AddFact(text, "", license->summary);
    AddFact(text, "",
            fmt::format("gptoss show {} --license prints {}", entry.name,
                        hub::LicenseText(entry.license) ? "the text" : "where the text is"));
  }
  return text;
}

Result<int> Show(const std::string& model, bool license, bool json) {
  Shown shown;
  shown.entry = hub::FindInCatalog(model);
  GPTOSS_TRY(const hub::ManifestStore installed, OpenInstalledModels());
  auto manifest = installed.Find(model);
  if (manifest) {
    shown.manifest = std::move(*manifest);
  } else if (shown.entry == nullptr || manifest.error().code != ErrorCode::kNotFound) {
    return std::unexpected(std::move(manifest).error());
  }
  if (license) return ShowLicense(shown, shown.manifest ? shown.manifest->license : shown.entry->license);
  if (json) {
    WriteJsonLine(ShowJson(shown));
    return 0;
  }
  const std::string name = shown.manifest ? shown.manifest->model : shown.entry->name;
  std::string text = shown.entry != nullptr ? fmt::format("{}: {}\n", name, shown.entry->title) : name + "\n";
  text += shown.manifest ? ShowInstalled(*shown.manifest) : ShowEntry(*shown.entry);
  StandardOutput().Write(WithoutControls(text));
  return 0;
}

}  // namespace

void AddListCommand(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::string cache_dir;
    bool json = false, catalog = false, names = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* list = app.add_subcommand("list", "Models on this machine, and whether they are whole");
  list->add_flag("--catalog", arguments->catalog, "The models that gptoss knows by name");
  list->add_option("--cache-dir", arguments->cache_dir, "Folder for models")->type_name("PATH");
  list->add_flag("--json", arguments->json, "One JSON object");
  list->add_flag("--names", arguments->names, "Names only, one a line")->excludes("--json");
  list->callback([arguments, &exit_code] {
    if (arguments->names) {
      exit_code = ListNames(arguments->catalog);
    } else if (arguments->catalog) {
      ListCatalog(arguments->json);
    } else {
      exit_code = List(arguments->cache_dir, arguments->json);
    }
  });
}

void AddShowCommand(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::string model;
    bool json = false, license = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* show = app.add_subcommand("show", "One model: where it is from, its files, licence and state");
  show->add_option("model", arguments->model,
                   "An installed model or one of the catalog (default: gpt-oss-20b)")
      ->type_name("MODEL");
  show->add_flag("--license", arguments->license, "The text of its licence");
  show->add_flag("--json", arguments->json, "One JSON object");
  show->callback([arguments, &exit_code] {
    const auto result = Show(arguments->model, arguments->license, arguments->json);
    exit_code = result ? *result : FailCommand(result.error(), false);
  });
}

}  // namespace gptoss::cli
