// run_command: a shell command in a terminal of the client where it offers those, else in a process group of
// its own, which is gone when the call ends.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "agents/agent.h"
#include "agents/tool.h"
#include "agents/tools/client_terminal.h"
#include "base/utf8.h"
#include "platform/child_process.h"

namespace gptoss::agents {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int64_t kDefaultSeconds = 120, kMaxSeconds = 3600;
constexpr std::size_t kKeptBytes = kKeptOutputBytes;
constexpr std::size_t kTailBytes = 4 << 10;  // what a client sees while it runs
constexpr auto kShowEvery = std::chrono::milliseconds(400);
constexpr auto kLookEvery = std::chrono::milliseconds(50);

class CommandRun final : public ToolRun {
 public:
  CommandRun(ToolPreview preview, std::string command, std::string folder, std::string client_folder,
             std::int64_t seconds)
      : ToolRun(std::move(preview)),
        command_(std::move(command)),
        folder_(std::move(folder)),
        client_folder_(std::move(client_folder)),
        seconds_(seconds) {}

  ToolOutcome Run(const ToolRunContext& context) override {
    if (context.sink->client().terminals)
      return RunInClientTerminal(command_, client_folder_, seconds_, context);
    auto started = ChildProcess::Start({.argv = {"/bin/sh", "-c", command_}, .folder = folder_});
    if (!started) return FailedOutcome(started.error().message);
    ChildProcess& child = **started;
    ::fcntl(child.output(), F_SETFL, O_NONBLOCK);
    Announce(context);
    const auto deadline = Clock::now() + std::chrono::seconds(seconds_);
    std::optional<ChildExit> exit;
    std::string end;
    while (!exit) {
      if (context.cancel.cancelled()) {
        end = StoppedByUser();
      } else if (Clock::now() >= deadline) {
        end = StoppedAfter(seconds_);
      }
      if (!end.empty()) {
        exit = child.KillGroup();
        break;
      }
      const bool open = Read(child, kLookEvery);
      Show(context, false);
      exit = child.WaitFor(open ? std::chrono::milliseconds(0) : kLookEvery);
    }
    while (Read(child, std::chrono::milliseconds(0)) && got_some_) continue;  // what is left in the pipe
    Show(context, true);
    return Outcome(*exit, end, context);
  }

 private:
  // False: the output has ended.
  bool Read(const ChildProcess& child, std::chrono::milliseconds patience) {
    got_some_ = false;
    pollfd wanted{.fd = child.output(), .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, static_cast<int>(patience.count())) <= 0) return true;
    char buffer[1 << 16];
    const ssize_t got = ::read(child.output(), buffer, sizeof buffer);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    got_some_ = true;
    const std::string_view bytes(buffer, static_cast<std::size_t>(got));
    total_ += bytes.size();
    output_ += bytes;
    unsent_ += bytes;
    if (output_.size() > 2 * kKeptBytes) output_.erase(0, output_.size() - kKeptBytes);
    if (unsent_.size() > kKeptBytes) unsent_.erase(0, unsent_.size() - kKeptBytes);
    return true;
  }

  void Announce(const ToolRunContext& context) {
    if (!context.display_terminals) return;
    acp::ToolCall update;
    update.content = {acp::ToolTerminal{context.call_id}};
    update.meta = Json{{"terminal_info", {{"terminal_id", context.call_id}, {"cwd", folder_}}}};
    update.transient = true;
    context.progress(std::move(update));
  }

  // Increments for clients with display terminals; a capped tail for the others, which is sent anew each
  // time.
  void Show(const ToolRunContext& context, bool last) {
    if (unsent_.empty() || (!last && Clock::now() - shown_ < kShowEvery)) return;
    shown_ = Clock::now();
    acp::ToolCall update;
    update.transient = true;
    if (context.display_terminals) {
      const std::size_t whole = last ? unsent_.size() : WholeCharacters(unsent_);
      if (whole == 0) return;
      update.meta =
          Json{{"terminal_output",
                {{"terminal_id", context.call_id}, {"data", ReplaceInvalidUtf8(unsent_.substr(0, whole))}}}};
      unsent_.erase(0, whole);
    } else {
      unsent_.clear();
      if (last) return;  // the outcome says it all
      update.content = {acp::ToolText{Tail(kTailBytes)}};
    }
    context.progress(std::move(update));
  }

  // Bytes up to a character that has not ended yet.
  static std::size_t WholeCharacters(std::string_view text) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
      const std::size_t at = text.size() - back;
      if ((static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) continue;
      return NextUtf8(text.substr(at)).kind == Utf8Step::Kind::kIncomplete ? at : text.size();
    }
    return text.size();
  }
  std::string Tail(std::size_t bytes) const {
    const std::size_t from = output_.size() > bytes ? output_.size() - bytes : 0;
    return (total_ > bytes ? "...\n" : "") + ReplaceInvalidUtf8(std::string_view(output_).substr(from));
  }

  ToolOutcome Outcome(const ChildExit& exit, const std::string& end, const ToolRunContext& context) const {
    CommandEnd how{.code = {}, .signal = {}, .stopped = end, .output_bytes = total_};
    if (exit.code) how.code = *exit.code;
    if (exit.signal) how.signal = std::to_string(*exit.signal);
    ToolOutcome outcome = CommandOutcome(output_, how);
    if (context.display_terminals) {
      acp::ToolCall update;
      update.transient = true;
      update.meta = Json{{"terminal_exit",
                          {{"terminal_id", context.call_id},
                           {"exit_code", exit.code ? Json(*exit.code) : Json(nullptr)},
                           {"signal", exit.signal ? Json(std::to_string(*exit.signal)) : Json(nullptr)}}}};
      context.progress(std::move(update));
    }
    return outcome;
  }

  const std::string command_, folder_, client_folder_;
  const std::int64_t seconds_;
  std::string output_, unsent_;
  std::uint64_t total_ = 0;
  bool got_some_ = false;
  Clock::time_point shown_{};
};

class RunCommandTool final : public Tool {
 public:
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope& scope) override {
    const Workspace& workspace = scope.workspace;
    GPTOSS_TRY(std::string command, TextArgument(arguments, "command"));
    GPTOSS_TRY(const std::int64_t seconds, IntegerArgumentOr(arguments, "timeout_seconds", kDefaultSeconds));
    GPTOSS_TRY(const ResolvedPath folder, workspace.Resolve(TextArgumentOr(arguments, "cwd", ".")));
    if (command.find('\0') != std::string::npos || command.empty())
      return Fail(ErrorCode::kInvalidArgument, "\"command\" is empty or no text");
    ToolPreview preview{.title = fmt::format("Run `{}`", command), .kind = acp::ToolKind::kExecute};
    preview.need = folder.inside ? ToolPreview::Need::kPermission : ToolPreview::Need::kEachTime;
    // The very same command: what another one would do, nobody can know.
    preview.rule = "run:" + command;
    preview.scope = fmt::format("`{}` in {}", command, workspace.folder().string());
    return std::make_unique<CommandRun>(std::move(preview), std::move(command), folder.path.string(),
                                        workspace.ForClient(folder.path),
                                        std::clamp<std::int64_t>(seconds, 1, kMaxSeconds));
  }

 private:
  const harmony::ToolDescription description_ = {
      .name = "run_command",
      .description =
          "Runs a shell command in the workspace and returns its output; nothing that it starts outlives it",
      .parameters = ParametersSchema({{"command", "string", "The command to run"},
                                      {"cwd", "string", "Folder; default: the workspace", false},
                                      {"timeout_seconds", "number", "default: 120", false}})};
};

}  // namespace

std::unique_ptr<Tool> MakeRunCommandTool() { return std::make_unique<RunCommandTool>(); }

}  // namespace gptoss::agents
