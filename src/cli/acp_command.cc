// gptoss acp: an agent for editors, over stdin and stdout.
#include "cli/acp_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "acp/stdio.h"
#include "agents/acp_face/face.h"
#include "agents/gptoss_20b/gptoss_agent.h"
#include "cli/acp_models.h"
#include "cli/commands.h"
#include "cli/model_option.h"
#include "cli/settings_option.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "net/json_rpc.h"
#include "platform/child_process.h"
#include "platform/orphans.h"
#include "provider/log.h"
#include "sessions/keeping.h"
#include "sessions/store.h"
#include "settings/paths.h"

namespace gptoss::cli {
namespace {

using namespace std::chrono_literals;

// The connection that signals end. Signal handlers read it.
std::atomic<net::RpcConnection*> g_connection{nullptr};
std::atomic<bool> g_terminated{false};

void OnStopSignal(int) {
  g_terminated = true;
  if (net::RpcConnection* connection = g_connection) connection->StopReading();
}

// Ends the program if what runs does not end by itself, from Start on. Editors wait a second or two, then
// they kill.
class Deadline {
 public:
  Deadline() = default;
  ~Deadline() {
    {
      std::lock_guard lock(mutex_);
      met_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  void Start(std::chrono::milliseconds patience, int exit_code) {
    thread_ = std::thread([this, patience, exit_code] {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, patience, [&] { return met_; })) return;
      KillAllChildren();
      ::_exit(exit_code);
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool met_ = false;
  std::thread thread_;
};

// Whatever is on the disk: a client that starts us is answered.
Result<KeptSessions> OpenSessions(const Settings& settings) {
  if (!settings.Bool("history.enabled")) {
    KeptSessions sessions;
    GPTOSS_TRY(sessions.store, SessionStore::Open(""));
    return sessions;
  }
  auto file = StateDirectory();
  if (file) *file /= "sessions.db";
  GPTOSS_TRY(KeptSessions sessions, OpenKeptSessions(file));
  if (!sessions.trouble.empty()) Complain(sessions.trouble);
  const auto before = [](std::chrono::milliseconds age) {
    return (std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::system_clock::now().time_since_epoch()) -
            age)
        .count();
  };
  // Editors open sessions for every window; those that nobody wrote in are no history.
  static_cast<void>(sessions.store->Prune(before(24h), true));
  const Duration keep = settings.Time("history.keep");
  if (!keep.never) static_cast<void>(sessions.store->Prune(before(keep.length), false));
  return sessions;
}

}  // namespace

Result<int> ServeAcp(const AgentModels& models, const Settings::Pointer& settings,
                     const std::function<void(agents::AgentRegistry&)>& add_agents) {
  Deadline deadline;  // outlives all that may take its time
  GPTOSS_TRY(const KeptSessions sessions, OpenSessions(*settings));
  agents::AgentRegistry registry;
  registry.Add(agents::MakeGptOssAgent(
      *models.pool, {.version = Version(),
                     .max_calls = static_cast<int>(settings->Integer("agent.max_calls")),
                     .max_tokens = settings->IntegerIfSet("generation.max_tokens").value_or(0)}));
  if (add_agents) add_agents(registry);
  agents::FaceOptions options{.version = Version(), .defaults = {}, .trouble = sessions.trouble};
  options.defaults.model = models.selected;
  options.defaults.usual_temperature = settings->Number("generation.temperature");
  if (const auto effort = harmony::ParseReasoningEffort(settings->Enum("generation.reasoning_effort")))
    options.defaults.effort = *effort;

  GPTOSS_TRY(const acp::PrivateStdio stdio, acp::TakeStdio());
  AdoptOrphans();  // false: the system cannot, and what leaves its group outlives us
  const LogSink log = StderrLog(ParseLogLevel(settings->Enum("log.level")).value_or(LogLevel::kWarning));
  const auto passed_over = [&log](std::string_view text) {
    if (log) log(LogLevel::kWarning, text);
  };
  net::RpcConnection connection(stdio.input, stdio.output, {.log = passed_over, .broken_output_ends = true});
  agents::AcpFace face(connection, *sessions.store, registry, *models.pool, std::move(options));
  g_connection = &connection;
  ::signal(SIGTERM, OnStopSignal);
  ::signal(SIGINT, OnStopSignal);
  const Status read = connection.Run(face.Handlers());
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGINT, SIG_DFL);
  g_connection = nullptr;
  const int exit_code = g_terminated ? 143 : 0;
  deadline.Start(700ms, exit_code);  // and 0.2 s for the last orphans
  face.Shutdown();
  KillOrphans();
  connection.Close(200ms);
  if (!read) return std::unexpected(read.error());
  return exit_code;
}

namespace {

Result<int> RunAcp(const std::string& model) {
  GPTOSS_TRY(const Settings::Pointer settings, LoadSettings(true));
  GPTOSS_TRY(const AgentModels models, OpenAgentModels(model));
  return ServeAcp(models, settings);
}

}  // namespace

void AddAcpCommand(CLI::App& app, int& exit_code) {
  auto model = std::make_shared<std::string>();
  CLI::App* acp = app.add_subcommand(
      "acp", "An agent for editors: speaks the Agent Client Protocol over stdin and stdout");
  AddModelOption(*acp, *model);
  acp->callback([model, &exit_code] {
    const Result<int> result = RunAcp(*model);
    exit_code = result ? *result : ExitCode(result.error().code);
    if (!result) Complain(result.error().message);
  });
}

}  // namespace gptoss::cli
