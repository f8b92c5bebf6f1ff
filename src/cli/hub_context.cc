#include "cli/hub_context.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "cli/settings_option.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "hub/cache.h"
#include "provider/from_settings.h"
#include "settings/paths.h"

namespace gptoss::cli {
std::filesystem::path SharedCache(const std::string& cache_dir) {
  if (!cache_dir.empty()) {
    std::error_code error;
    const auto absolute = std::filesystem::absolute(cache_dir, error);
    return error ? std::filesystem::path(cache_dir) : absolute.lexically_normal();
  }
  const auto input = CurrentSettingsInput();
  return HubCacheFrom(input ? *Settings::LoadTolerant(*input) : *Settings::Defaults());
}

Result<HubContext> OpenHubContext(const std::string& cache_dir) {
  GPTOSS_TRY(const Settings::Pointer settings, LoadSettings(true));
  GPTOSS_TRY(Policy policy, Policy::Load());
  GPTOSS_TRY(std::filesystem::path state, StateDirectory());
  GPTOSS_TRY(hub::HubOptions options, HubOptionsFrom(*settings));
  if (!cache_dir.empty()) options.cache_dir = SharedCache(cache_dir).string();
  if (options.cache_dir.empty())
    return Fail(ErrorCode::kFailedPrecondition,
                "there is no home folder to keep models in; name a folder with --cache-dir or HF_HUB_CACHE");
  options.user_agent = fmt::format("gptoss/{}", Version());
  hub::ManifestStore installed(state), installing(state, "installing");
  return HubContext{std::move(options), std::move(state), std::move(installed), std::move(installing),
                    std::move(policy)};
}

Status CheckStateFolder(const HubContext& context) {
  std::filesystem::path folder = context.state;
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return Fail(ErrorCode::kPermissionDenied,
              fmt::format("cannot write in {}, where gptoss notes what is installed: {}; make that folder "
                          "yours, or name another one in GPTOSS_STATE_DIR",
                          folder.string(), std::strerror(errno)));
}

Result<hub::ManifestStore> OpenInstalledModels() {
  GPTOSS_TRY(const std::filesystem::path state, StateDirectory());
  return hub::ManifestStore(state);
}

std::filesystem::path CacheOf(const hub::Manifest& manifest) {
  // …/models--org--name/snapshots/<commit>
  const std::filesystem::path snapshots = manifest.folder.parent_path();
  if (manifest.repository.empty() || snapshots.filename() != "snapshots") return {};
  return snapshots.parent_path().parent_path();
}

std::vector<hub::BlobJob> JobsOf(const hub::Manifest& manifest) {
  const hub::RepositoryCache cache(CacheOf(manifest), manifest.repository);
  std::vector<hub::BlobJob> jobs;
  for (const hub::ManifestFile& file : manifest.files)
    jobs.push_back({.file = {.path = file.path, .size = file.size, .hash = file.hash},
                    .blob = cache.blob(file.hash),
                    .lock = cache.lock(file.hash)});
  return jobs;
}

Result<std::string> HubSession::Ask(std::string_view question) {
  // Ctrl-C at a question wakes the reader; nothing is running that could be cancelled.
  interrupt_.EndTurn();
  StandardError().Write(question);
  LineReader reader(STDIN_FILENO, interrupt_.wake_descriptor());
  std::string line;
  const LineReader::Event event = reader.Next(line);
  interrupt_.BeginTurn(cancel_);
  if (event == LineReader::Event::kLine) return line;
  StandardError().Write("\n");
  return Fail(ErrorCode::kCancelled, "stopped at a question; nothing was changed");
}

Result<bool> HubSession::AskYesNo(std::string_view question, bool fallback) {
  GPTOSS_TRY(std::string line, Ask(fmt::format("{} [{}] ", question, fallback ? "Y/n" : "y/N")));
  std::ranges::transform(line, line.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  if (line.find_first_not_of(" \t") == std::string::npos) return fallback;
  return line == "y" || line == "yes";
}

bool CanAsk() { return ::isatty(STDIN_FILENO) == 1 && StandardError().is_terminal(); }

ProgressStyle StyleFor(bool json, bool quiet) {
  if (json) return ProgressStyle::kJson;
  if (quiet) return ProgressStyle::kQuiet;
  return StandardError().is_terminal() ? ProgressStyle::kLine : ProgressStyle::kPlain;
}

std::string ShellQuoted(std::string_view text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_./:@%+=,").contains(c);
  });
  if (plain) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void WriteJsonLine(const Json& value) { StandardOutput().Write(DumpJson(value) + "\n"); }

int FailCommand(const Error& error, bool json) {
  if (json)
    WriteJsonLine(
        {{"type", "error"}, {"code", std::string(ErrorCodeName(error.code))}, {"message", error.message}});
  Complain(error.message);
  return ExitCodeOf(error);
}

}  // namespace gptoss::cli
