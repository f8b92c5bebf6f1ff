// What the commands about models share: where things are, what is allowed, how they begin, ask and end.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "cli/input.h"
#include "cli/install_progress.h"
#include "cli/interrupt.h"
#include "hub/hub_client.h"
#include "hub/manifest.h"
#include "hub/transfer.h"
#include "settings/policy.h"

namespace gptoss::cli {

struct HubContext {
  hub::HubOptions options;  // environment, settings, --cache-dir
  std::filesystem::path state;
  hub::ManifestStore installed, installing;
  Policy policy;
};
// Reads settings and policy. `cache_dir`: of the command line, "" if it has none.
Result<HubContext> OpenHubContext(const std::string& cache_dir);
// Before anything is fetched or asked: what is installed can be noted down. kPermissionDenied says what to
// do.
Status CheckStateFolder(const HubContext& context);
// The installed models alone, for whoever only looks: no settings, no policy.
Result<hub::ManifestStore> OpenInstalledModels();
// As the Hub's other clients find it, with --cache-dir before all.
std::filesystem::path SharedCache(const std::string& cache_dir);

// The cache that holds a model's snapshot; "": a folder of the user's own. And its files as blobs there.
std::filesystem::path CacheOf(const hub::Manifest& manifest);
std::vector<hub::BlobJob> JobsOf(const hub::Manifest& manifest);

// Signals of a command that works for a while: Ctrl-C and SIGTERM cancel, a second one leaves at once, Ctrl-Z
// pauses (ProgressDisplay). At most one at a time.
class HubSession {
 public:
  HubSession() { interrupt_.BeginTurn(cancel_); }
  CancelToken token() const { return cancel_.token(); }
  hub::PauseControl& pause() { return pause_; }
  bool cancelled() const { return cancel_.cancelled(); }

  // One line that a person types; kCancelled at Ctrl-C and at the end of the input.
  Result<std::string> Ask(std::string_view question);
  // "y" and "yes", in any case; an empty line is `fallback`.
  Result<bool> AskYesNo(std::string_view question, bool fallback);

 private:
  CancelSource cancel_;
  InterruptHandler interrupt_;
  hub::PauseControl pause_;
};
// Stdin and stderr are terminals: there is somebody to ask.
bool CanAsk();

// How progress is shown, given the flags and what stderr is.
ProgressStyle StyleFor(bool json, bool quiet);

// One argument as a shell reads it: for commands that a person can paste.
std::string ShellQuoted(std::string_view text);
void WriteJsonLine(const Json& value);

// The end of a command that failed: with `json` {"type":"error", "code", "message"} on stdout, and always the
// sentence on stderr. Returns the exit code (ExitCodeOf).
int FailCommand(const Error& error, bool json);

}  // namespace gptoss::cli
