#include "agents/acp_face/live_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <exception>
#include <utility>

#include "acp/v1.h"
#include "agents/acp_face/transcript.h"
#include "agents/ids.h"
#include "base/utf8.h"
#include "platform/system.h"

namespace gptoss::agents {
namespace {

constexpr std::size_t kTitleBytes = 80;
// Of prompts that wait for a turn.
constexpr std::size_t kMaxWaiting = 256, kMaxWaitingBytes = std::size_t{64} << 20, kBlockBytes = 500;

Json SessionUpdate(const std::string& id, Json update) {
  return Json{{"sessionId", id}, {"update", std::move(update)}};
}

// The first line that says something, cut at a character.
std::string FirstLine(const std::vector<acp::ContentBlock>& prompt) {
  for (const acp::ContentBlock& block : prompt) {
    if (block.type != acp::ContentBlock::Type::kText) continue;
    const std::size_t first = block.text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos) continue;
    std::string line = block.text.substr(first, block.text.find_first_of("\r\n", first) - first);
    if (line.size() <= kTitleBytes) return ReplaceInvalidUtf8(line);
    std::size_t end = kTitleBytes;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
    return ReplaceInvalidUtf8(line.substr(0, end)) + "…";
  }
  return "";
}

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::string IsoTime(std::int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:03}Z", std::string_view(text, length), ms % 1000);
}

LiveSession::LiveSession(FaceContext& face, StoredSession stored, std::vector<acp::McpServer> mcp_servers,
                         OptionState options)
    : face_(face),
      id_(stored.id),
      calls_(*face.connection, stored.id),
      mcp_servers_(std::move(mcp_servers)),
      choices_(std::make_shared<SharedChoices>(options.choices)),
      stored_(std::move(stored)),
      options_(std::move(options)),
      trouble_(face.trouble),
      titled_by_model_(!stored_.title.empty()),
      interrupted_(stored_.turn_open) {
  thread_ = std::thread([this] { Work(); });
}

LiveSession::~LiveSession() {
  CancelAll();
  Finish(nullptr);
  if (thread_.joinable()) thread_.join();
}

// ---- the queue
// ---------------------------------------------------------------------------------------------

void LiveSession::Submit(std::shared_ptr<Job> job) {
  {
    std::lock_guard lock(queue_mutex_);
    idle_cancel_.Cancel();
    queue_.push_back(std::move(job));
  }
  changed_.notify_all();
}

Status LiveSession::Prompt(Json request, std::vector<acp::ContentBlock> prompt, Json trace) {
  auto job = std::make_shared<Job>();
  job->request = std::move(request);
  job->trace = std::move(trace);
  for (const acp::ContentBlock& block : prompt)
    job->bytes += kBlockBytes + block.text.size() + block.uri.size();
  job->prompt = std::move(prompt);
  job->is_prompt = true;
  {
    std::lock_guard lock(queue_mutex_);
    std::size_t bytes = 0;
    for (const auto& waiting : queue_) bytes += waiting->bytes;
    if (queue_.size() >= kMaxWaiting || (!queue_.empty() && bytes + job->bytes > kMaxWaitingBytes))
      return Fail(
          ErrorCode::kResourceExhausted,
          fmt::format("{} prompts wait already; send this one when they are answered", queue_.size()));
  }
  Submit(std::move(job));
  return {};
}

void LiveSession::Post(std::function<void()> work) {
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  Submit(std::move(job));
}

void LiveSession::StartAgent() {
  if (mcp_servers_.empty()) return;
  Post([this] { static_cast<void>(OpenAgent()); });  // a prompt will say what is wrong
}

void LiveSession::CancelPrompts() { Cancel(true); }
void LiveSession::CancelAll() { Cancel(false); }

void LiveSession::Cancel(bool prompts_only) {
  std::lock_guard lock(queue_mutex_);
  idle_cancel_.Cancel();
  if (running_ && (running_->is_prompt || !prompts_only)) running_->cancel.Cancel();
  for (const auto& job : queue_) {
    if (job->is_prompt || !prompts_only) job->cancel.Cancel();
  }
}

void LiveSession::CancelRequest(const Json& request) {
  std::lock_guard lock(queue_mutex_);
  if (running_ && running_->is_prompt && running_->request == request) running_->cancel.Cancel();
  for (const auto& job : queue_) {
    if (job->is_prompt && job->request == request) job->cancel.Cancel();
  }
}

void LiveSession::Finish(std::function<void()> last) {
  {
    std::lock_guard lock(queue_mutex_);
    if (!finishing_) last_ = std::move(last);
    finishing_ = true;
    idle_cancel_.Cancel();
  }
  changed_.notify_all();
}

void LiveSession::WaitUntilFinished() {
  std::unique_lock lock(queue_mutex_);
  changed_.wait(lock, [&] { return finished_; });
}

bool LiveSession::finished() {
  std::lock_guard lock(queue_mutex_);
  return finished_;
}

void LiveSession::Work() {
  NameThisThread("gptoss-session");
  std::unique_lock lock(queue_mutex_);
  while (true) {
    changed_.wait(lock, [&] { return finishing_ || !queue_.empty(); });
    if (queue_.empty()) break;
    running_ = std::move(queue_.front());
    queue_.pop_front();
    const std::shared_ptr<Job> job = running_;
    lock.unlock();
    if (job->is_prompt) {
      RunPrompt(*job);
    } else {
      job->work();
    }
    lock.lock();
    running_.reset();
    if (!queue_.empty() || finishing_ || !job->is_prompt || job->cancel.cancelled()) continue;
    idle_cancel_ = CancelSource();
    lock.unlock();
    NameByModel();
    lock.lock();
  }
  const std::function<void()> last = std::move(last_);
  lock.unlock();
  agent_.reset();
  if (last) last();
  lock.lock();
  finished_ = true;
  changed_.notify_all();
}

// ---- a prompt
// ----------------------------------------------------------------------------------------------

void LiveSession::RunPrompt(Job& job) {
  TurnOutcome outcome{.reason = acp::StopReason::kCancelled, .error = std::nullopt};
  if (!job.cancel.cancelled()) outcome = RunTurn(job);
  if (outcome.error) {
    // v1 has no stop reason for that; the session stays usable.
    Error error = *outcome.error;
    if (error.code != ErrorCode::kInvalidArgument) error.code = ErrorCode::kInternal;
    face_.connection->Reply(job.request, std::unexpected(acp::v1::RpcErrorOf(error)));
    return;
  }
  face_.connection->Reply(job.request, Json{{"stopReason", acp::v1::StopReasonName(outcome.reason)}});
}

TurnOutcome LiveSession::RunTurn(Job& job) {
  const std::string message = NewId("msg");
  loss_told_ = false;
  TellTrouble();
  {
    std::lock_guard lock(state_mutex_);
    stored_.turn_open = true;
  }
  // Not sent: the client knows what it asked. Kept for the day when it asks what was said.
  for (const acp::ContentBlock& block : job.prompt) {
    const acp::MessageChunk chunk{
        .kind = acp::MessageKind::kUser, .message_id = message, .text = {}, .block = block.source};
    if (const Status kept = face_.store->Append(id_, DumpJson(acp::v1::WriteUpdate(chunk, face_.client)));
        !kept)
      TellLoss(kept.error());
  }
  NameFromPrompt(job.prompt);
  Store(true);
  TurnOutcome outcome;
  if (const Status opened = OpenAgent(); !opened) {
    outcome.error = opened.error();
  } else {
    try {
      outcome = agent_->Prompt({.prompt = std::move(job.prompt), .cancel = job.cancel.token()}, *this);
    } catch (const std::exception& error) {  // of a library: one turn fails, the program goes on
      outcome.error = Error{ErrorCode::kInternal, fmt::format("the turn failed: {}", error.what())};
    }
  }
  if (job.cancel.cancelled()) outcome = {.reason = acp::StopReason::kCancelled, .error = std::nullopt};
  {
    std::lock_guard lock(state_mutex_);
    stored_.turn_open = false;
  }
  Store(true);
  return outcome;
}

Status LiveSession::OpenAgent() {
  std::string mode;
  SessionContext context;
  {
    std::lock_guard lock(state_mutex_);
    mode = options_.mode;
    context.id = id_;
    context.folder = stored_.folder;
    context.more_folders = stored_.more_folders;
    context.context_used = stored_.context_used;
    context.context_size = stored_.context_size;
  }
  if (agent_ != nullptr && agent_mode_ == mode) return {};
  agent_.reset();
  Agent* const agent = face_.registry->Find(mode);
  if (agent == nullptr) return Fail(ErrorCode::kInvalidArgument, fmt::format("there is no mode {}", mode));
  GPTOSS_TRY(context.conversation, face_.store->LoadConversation(id_));
  context.mcp_servers = mcp_servers_;
  context.choices = choices_;
  context.interrupted = interrupted_;
  SessionStore* const store = face_.store;
  const std::string folder = context.folder, id = id_;
  context.save = [store, id](const harmony::Conversation& conversation) {
    static_cast<void>(store->SaveConversation(id, conversation));
  };
  context.allowed = [store, folder](std::string_view rule) {
    return store->Allowed(folder, rule).value_or(false);
  };
  context.allow = [store, folder](std::string_view rule) { static_cast<void>(store->Allow(folder, rule)); };
  context.rules = [store, folder] { return store->Permissions(folder).value_or(std::vector<std::string>()); };
  context.forget_rules = [store, folder] { static_cast<void>(store->ForgetPermissions(folder)); };
  GPTOSS_TRY(agent_, agent->Open(std::move(context)));
  agent_mode_ = mode;
  interrupted_ = false;
  return {};
}

// ---- titles
// ------------------------------------------------------------------------------------------------

void LiveSession::NameFromPrompt(const std::vector<acp::ContentBlock>& prompt) {
  {
    std::lock_guard lock(state_mutex_);
    if (!stored_.title.empty()) return;
  }
  std::string title = FirstLine(prompt);
  if (!title.empty() && title.front() != '/') SetTitle(std::move(title));
}

void LiveSession::NameByModel() {
  if (!face_.make_titles || titled_by_model_ || agent_ == nullptr) return;
  titled_by_model_ = true;
  const CancelToken cancel = idle_cancel_.token();
  std::string title;
  try {
    title = agent_->MakeTitle(cancel);
  } catch (const std::exception&) {
    return;  // a title is worth nothing
  }
  if (cancel.cancelled()) titled_by_model_ = false;  // a prompt came between: after it, again
  if (title.empty() || cancel.cancelled()) return;
  SetTitle(std::move(title));
  Store(false);
}

void LiveSession::SetTitle(std::string title) {
  {
    std::lock_guard lock(state_mutex_);
    stored_.title = title;
  }
  Emit(acp::SessionTitle{.title = std::move(title), .updated_at = IsoTime(NowMs())});
}

void LiveSession::Store(bool touch) {
  std::lock_guard lock(state_mutex_);
  static_cast<void>(face_.store->Update(stored_, touch));
}

// ---- options
// -----------------------------------------------------------------------------------------------

Status LiveSession::Change(std::string_view option, std::string_view value, bool& mode_changed) {
  const std::vector<ModelChoice> models = face_.pool->Choices();
  std::lock_guard lock(state_mutex_);
  const std::string mode = options_.mode;
  GPTOSS_CHECK_OK(agents::Choose(options_, option, value, *face_.registry, models));
  mode_changed = options_.mode != mode;
  choices_->Set(options_.choices);
  stored_.mode = options_.mode;
  stored_.options = StoredOptions(options_.choices);
  static_cast<void>(face_.store->Update(stored_, false));
  static_cast<void>(face_.store->SetDefault(option, value));
  return {};
}

Status LiveSession::SetOption(std::string_view option, std::string_view value, bool as_mode) {
  bool mode_changed = false;
  GPTOSS_CHECK_OK(Change(option, value, mode_changed));
  if (as_mode) {
    Emit(acp::OptionsChanged{Options()});
  } else if (mode_changed) {
    Emit(acp::ModeChanged{std::string(value)});
  }
  return {};
}

Status LiveSession::Choose(std::string_view option, std::string_view value) {
  bool mode_changed = false;
  GPTOSS_CHECK_OK(Change(option, value, mode_changed));
  Emit(acp::OptionsChanged{Options()});
  if (mode_changed) Emit(acp::ModeChanged{std::string(value)});
  return {};
}

std::vector<acp::ConfigOption> LiveSession::Options() const {
  const std::vector<ModelChoice> models = face_.pool->Choices();
  std::lock_guard lock(state_mutex_);
  return OptionsOf(options_, *face_.registry, models);
}

acp::Modes LiveSession::Modes() const {
  std::lock_guard lock(state_mutex_);
  return ModesOf(*face_.registry, options_.mode);
}

void LiveSession::SendCommands() {
  Agent* const agent = face_.registry->Find(Modes().current);
  if (agent != nullptr) Emit(acp::Commands{agent->commands()});
}

// ---- to the client
// -----------------------------------------------------------------------------------------

void LiveSession::Emit(const acp::Update& update) {
  if (std::holds_alternative<acp::Notice>(update) && !face_.client.notices) return;
  if (const auto* usage = std::get_if<acp::Usage>(&update)) {
    std::lock_guard lock(state_mutex_);
    stored_.context_used = usage->used;
    stored_.context_size = usage->size;
  }
  Json json = acp::v1::WriteUpdate(update, face_.client);
  const bool of_compaction =
      std::holds_alternative<acp::Compaction>(update) || std::holds_alternative<acp::CompactionText>(update);
  const bool silent = of_compaction && !face_.client.compaction;
  if (BelongsToTranscript(update)) {
    // On the wire in the order of the transcript.
    Status kept;
    {
      std::lock_guard lock(emit_mutex_);
      kept = face_.store->Append(id_, DumpJson(json));
      if (!silent) Send(std::move(json), true);
    }
    if (!kept) TellLoss(kept.error());
    return;
  }
  // State may be told by the thread that reads, which never waits; a running tool waits for a slow reader.
  if (!silent) Send(std::move(json), std::holds_alternative<acp::ToolCall>(update));
}

// A slow reader holds back the turn, and the engine behind it; a turn that was cancelled waits for nobody.
void LiveSession::Send(Json update, bool wait) {
  acp::Pace pace = acp::kAtOnce;
  if (wait) pace = {.wait = true, .cancel = RunningToken()};
  face_.connection->Notify("session/update", SessionUpdate(id_, std::move(update)), pace);
}

// A full disk stops nobody from talking, but nobody shall believe that it is kept.
void LiveSession::TellLoss(const Error& error) {
  if (loss_told_.exchange(true)) return;
  Tell("error", "Not kept", fmt::format("This conversation is not being kept: {}", error.message));
}

void LiveSession::NotKept(const Error& error) {
  if (trouble_.empty()) trouble_ = fmt::format("This conversation is not being kept: {}", error.message);
}

void LiveSession::TellTrouble() {
  if (!trouble_.empty()) Tell("warning", "Kept conversations", std::exchange(trouble_, {}));
}

// Past the transcript: it is of this moment.
void LiveSession::Tell(std::string_view severity, std::string title, const std::string& text) {
  if (face_.client.notices)
    return Emit(
        acp::Notice{.severity = std::string(severity), .title = std::move(title), .description = text});
  const acp::MessageChunk chunk{
      .kind = acp::MessageKind::kAgent, .message_id = NewId("msg"), .text = text + "\n\n", .block = {}};
  Send(acp::v1::WriteUpdate(chunk, face_.client), true);
}

void LiveSession::Refresh() {
  auto now = face_.store->Find(id_);
  if (!now) return;
  std::lock_guard lock(state_mutex_);
  stored_.title = now->title;
  stored_.updated_ms = now->updated_ms;
  stored_.context_used = now->context_used;
  stored_.context_size = now->context_size;
  stored_.turn_open = now->turn_open;
  interrupted_ = interrupted_ || now->turn_open;
}

void LiveSession::ReplayTranscript() {
  StoredSession stored;
  {
    std::lock_guard lock(state_mutex_);
    stored = stored_;
  }
  const auto items = face_.store->Transcript(id_);
  const CancelToken cancel = RunningToken();
  if (items) {
    for (Json& update : Replay(*items, face_.client)) {
      if (cancel.cancelled()) break;  // the session was closed: nobody waits for the rest
      Send(std::move(update), true);
    }
  }
  if (stored.context_size > 0) Emit(acp::Usage{.used = stored.context_used, .size = stored.context_size});
  if (!stored.title.empty())
    Emit(acp::SessionTitle{.title = stored.title, .updated_at = IsoTime(stored.updated_ms)});
}

CancelToken LiveSession::RunningToken() const {
  std::lock_guard lock(queue_mutex_);
  return running_ ? running_->cancel.token() : CancelToken();
}

Json LiveSession::trace_context() const {
  std::lock_guard lock(queue_mutex_);
  return running_ ? running_->trace : Json();
}

acp::PermissionOutcome LiveSession::Ask(const acp::ToolCall& call,
                                        const std::vector<acp::PermissionOption>& options) {
  return calls_.AskPermission(call, options, trace_context(), RunningToken());
}

Result<std::string> LiveSession::ReadThroughClient(const std::string& path) {
  if (!face_.client.read_files) return Fail(ErrorCode::kUnsupported, "the client reads no files for us");
  return calls_.ReadFile(path, RunningToken());
}

Status LiveSession::WriteThroughClient(const std::string& path, std::string_view text) {
  if (!face_.client.write_files) return Fail(ErrorCode::kUnsupported, "the client writes no files for us");
  return calls_.WriteFile(path, text, RunningToken());
}

Result<std::unique_ptr<ClientTerminal>> LiveSession::OpenTerminal(const acp::TerminalCommand& command) {
  if (!face_.client.terminals) return Fail(ErrorCode::kUnsupported, "the client has no terminals for us");
  return calls_.OpenTerminal(command, RunningToken());
}

acp::FormOutcome LiveSession::AskForm(const acp::Form& form) {
  if (!face_.client.elicitation_form) return {};
  return calls_.AskForm(form, RunningToken());
}

}  // namespace gptoss::agents
