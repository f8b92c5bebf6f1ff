#include "agents/acp_face/face.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "acp/v1.h"
#include "agents/ids.h"
#include "base/text.h"

namespace gptoss::agents {
namespace {

namespace v1 = acp::v1;
constexpr int kPageSize = 100;
constexpr std::string_view kAuthMethod = "local";

std::unexpected<acp::RpcError> Refuse(int code, std::string message, Json data = nullptr) {
  return std::unexpected(acp::RpcError{.code = code, .message = std::move(message), .data = std::move(data)});
}
std::unexpected<acp::RpcError> Refuse(const Error& error) { return std::unexpected(v1::RpcErrorOf(error)); }
std::unexpected<acp::RpcError> NoSession(const std::string& id) {
  const std::string name = Excerpt(id, kMessageBytes);
  return Refuse(v1::kResourceNotFound, fmt::format("there is no open session {}; load or resume it", name),
                Json{{"sessionId", name}});
}

}  // namespace

AcpFace::AcpFace(acp::Connection& connection, SessionStore& store, AgentRegistry& registry, ModelPool& pool,
                 FaceOptions options)
    : context_{.connection = &connection,
               .store = &store,
               .registry = &registry,
               .pool = &pool,
               .make_titles = options.make_titles,
               .trouble = options.trouble,
               .client = {}},
      options_(std::move(options)) {}

AcpFace::~AcpFace() { Shutdown(); }

acp::Handlers AcpFace::Handlers() {
  return {.on_request = [this](Json id, std::string method,
                               Json params) { OnRequest(std::move(id), method, params); },
          .on_notification = [this](std::string method, Json params) { OnNotification(method, params); }};
}

void AcpFace::Shutdown() {
  for (const auto& [id, session] : sessions_) session->CancelAll();
  for (const auto& session : ending_) session->CancelAll();
  sessions_.clear();  // each waits for its thread
  ending_.clear();
}

void AcpFace::OnRequest(Json id, const std::string& method, const Json& params) {
  Reap();
  if (auto answer = Dispatch(id, method, params)) context_.connection->Reply(id, std::move(*answer));
}

void AcpFace::OnNotification(const std::string& method, const Json& params) {
  if (!params.is_object()) return;
  if (method == "session/cancel") {
    const auto id = v1::ReadText(params, "sessionId");
    if (const auto session = id ? FindLive(*id) : nullptr) session->CancelPrompts();
  } else if (method == "$/cancel_request") {
    const auto request = params.find("requestId");
    if (request == params.end()) return;
    for (const auto& [id, session] : sessions_) session->CancelRequest(*request);
  }
}

std::optional<AcpFace::Answer> AcpFace::Dispatch(const Json& id, const std::string& method,
                                                 const Json& params) {
  if (method == "initialize") return Initialize(params);
  if (!initialized_) return Refuse(acp::kRpcInvalidRequest, "the first request is initialize");
  if (method == "authenticate") return Authenticate(params);
  if (method == "session/new") return New(id, params);
  if (method == "session/load") return Load(id, params, true);
  if (method == "session/resume") return Load(id, params, false);
  if (method == "session/list") return List(params);
  if (method == "session/close") return Close(id, params, false);
  if (method == "session/delete") return Close(id, params, true);
  if (method == "session/prompt") return Prompt(id, params);
  if (method == "session/set_mode") return SetMode(params);
  if (method == "session/set_config_option") return SetOption(params);
  const std::string name = Excerpt(method, kMessageBytes);
  return Refuse(acp::kRpcMethodNotFound, fmt::format("there is no method {}", name), Json{{"method", name}});
}

// ---- the connection
// ----------------------------------------------------------------------------------------

AcpFace::Answer AcpFace::Initialize(const Json& params) {
  const auto version = params.is_object() ? params.find("protocolVersion") : params.end();
  if (!params.is_object() || version == params.end() || !version->is_number_integer())
    return Refuse(acp::kRpcInvalidParams, "protocolVersion: expected a whole number");
  // The first one counts: sessions rely on what was announced.
  if (!std::exchange(initialized_, true)) context_.client = v1::ReadClientTraits(params);
  return Json{{"protocolVersion", v1::kVersion},
              {"agentCapabilities",
               {{"loadSession", true},
                {"promptCapabilities", {{"image", false}, {"audio", false}, {"embeddedContext", true}}},
                {"mcpCapabilities", {{"http", true}, {"sse", false}}},
                {"sessionCapabilities",
                 {{"list", Json::object()},
                  {"delete", Json::object()},
                  {"additionalDirectories", Json::object()},
                  {"resume", Json::object()},
                  {"close", Json::object()}}},
                {"_meta", {{"gptoss", {{"promptQueueing", true}}}}}}},
              {"authMethods", Json::array({{{"id", kAuthMethod},
                                            {"name", "This machine"},
                                            {"description", "Nothing to log in to: the model runs here"}}})},
              {"agentInfo", {{"name", "gptoss"}, {"title", "GPT-OSS"}, {"version", options_.version}}}};
}

AcpFace::Answer AcpFace::Authenticate(const Json& params) const {
  const auto method = v1::ReadText(params, "methodId");
  if (!method) return Refuse(method.error());
  if (*method != kAuthMethod)
    return Refuse(acp::kRpcInvalidParams,
                  fmt::format("methodId: '{}' is not '{}'", Excerpt(*method, kMessageBytes), kAuthMethod));
  return Json::object();
}

// ---- sessions
// ----------------------------------------------------------------------------------------------

OptionState AcpFace::InitialOptions() {
  OptionState state{.mode = context_.registry->agents().front()->mode().id, .choices = options_.defaults};
  const auto remembered = [&](std::string_view option) {
    return context_.store->Default(option).value_or(std::nullopt).value_or("");
  };
  if (std::string mode = remembered("mode"); context_.registry->Find(mode) != nullptr)
    state.mode = std::move(mode);
  const std::vector<ModelChoice> models = context_.pool->Choices();
  for (const auto& [option, fallback] : StoredOptions(options_.defaults)) {
    // A value that is no longer there (a model that was deleted) is passed over.
    if (const std::string chosen = remembered(option); !chosen.empty())
      static_cast<void>(agents::Choose(state, option, chosen, *context_.registry, models));
  }
  return state;
}

Json AcpFace::SessionState(const LiveSession& session) const {
  return Json{{"modes", v1::WriteModes(session.Modes())},
              {"configOptions", v1::WriteOptions(session.Options(), context_.client)}};
}

std::optional<AcpFace::Answer> AcpFace::New(const Json& id, const Json& params) {
  auto open = v1::ReadOpenSession(params, false, true);
  if (!open) return Refuse(open.error());
  OptionState options = InitialOptions();
  StoredSession stored;
  stored.id = NewId("sess");
  stored.folder = open->folder;
  stored.more_folders = open->more_folders;
  stored.mode = options.mode;
  stored.options = StoredOptions(options.choices);
  const Status created = context_.store->Create(stored);
  const auto session = std::make_shared<LiveSession>(context_, std::move(stored),
                                                     std::move(open->mcp_servers), std::move(options));
  if (!created) session->NotKept(created.error());  // nobody is kept from talking
  sessions_[session->id()] = session;
  Json answer{{"sessionId", session->id()}};
  answer.update(SessionState(*session));
  // The client learns the id from the answer; what came before that would be lost.
  context_.connection->Reply(id, std::move(answer));
  session->SendCommands();
  session->StartAgent();
  return std::nullopt;
}

std::optional<AcpFace::Answer> AcpFace::Load(const Json& id, const Json& params, bool replay) {
  auto open = v1::ReadOpenSession(params, true, replay);
  if (!open) return Refuse(open.error());
  auto stored = context_.store->Find(open->id);
  if (!stored)
    return stored.error().code == ErrorCode::kNotFound
               ? Refuse(v1::kResourceNotFound, stored.error().message,
                        Json{{"sessionId", Excerpt(open->id, kMessageBytes)}})
               : Refuse(stored.error());
  const std::shared_ptr<LiveSession> before = EndLife(open->id);
  OptionState options = InitialOptions();
  if (context_.registry->Find(stored->mode) != nullptr) options.mode = stored->mode;
  for (const auto& [option, value] : stored->options) ReadStoredOption(option, value, options.choices);
  stored->folder = open->folder;
  stored->more_folders = open->more_folders;  // the complete set each time
  static_cast<void>(context_.store->Update(*stored, false));
  const auto session = std::make_shared<LiveSession>(context_, std::move(*stored),
                                                     std::move(open->mcp_servers), std::move(options));
  sessions_[session->id()] = session;
  session->Post([this, id, replay, before, live = session.get()] {
    if (before) {
      before->WaitUntilFinished();
      live->Refresh();
    }
    if (replay) live->ReplayTranscript();
    live->SendCommands();
    context_.connection->Reply(id, SessionState(*live));
  });
  session->StartAgent();
  return std::nullopt;
}

AcpFace::Answer AcpFace::List(const Json& params) {
  const auto filter = v1::ReadListFilter(params);
  if (!filter) return Refuse(filter.error());
  const auto page = context_.store->List(filter->folder, filter->cursor, kPageSize);
  if (!page) return Refuse(page.error());
  Json answer{{"sessions", Json::array()}};
  for (const StoredSession& session : page->sessions)
    answer["sessions"].push_back(v1::WriteSessionEntry({.id = session.id,
                                                        .folder = session.folder,
                                                        .title = session.title,
                                                        .updated_at = IsoTime(session.updated_ms),
                                                        .more_folders = session.more_folders}));
  if (!page->next_cursor.empty()) answer["nextCursor"] = page->next_cursor;
  return answer;
}

std::optional<AcpFace::Answer> AcpFace::Close(const Json& id, const Json& params, bool and_delete) {
  const auto name = v1::ReadText(params, "sessionId");
  if (!name) return Refuse(name.error());
  const auto end = [this, id, session = *name, and_delete] {
    Status done;
    if (and_delete) done = context_.store->Delete(session);
    context_.connection->Reply(id, done ? acp::Reply(Json::object()) : Refuse(done.error()));
  };
  const std::shared_ptr<LiveSession> live = TakeLive(*name);
  if (live) {  // the prompt answers `cancelled` first, then this is answered
    live->CancelAll();
    live->Finish(end);
    ending_.push_back(live);
    return std::nullopt;
  }
  if (!and_delete && !context_.store->Find(*name)) return NoSession(*name);
  end();
  return std::nullopt;
}

std::optional<AcpFace::Answer> AcpFace::Prompt(const Json& id, const Json& params) {
  const auto name = v1::ReadText(params, "sessionId");
  if (!name) return Refuse(name.error());
  const auto session = FindLive(*name);
  if (!session) return NoSession(*name);
  auto prompt = v1::ReadPrompt(params);
  if (!prompt) return Refuse(prompt.error());
  if (const Status queued = session->Prompt(id, std::move(*prompt), v1::ReadTraceContext(params)); !queued)
    return Refuse(queued.error());
  return std::nullopt;
}

AcpFace::Answer AcpFace::SetMode(const Json& params) {
  const auto name = v1::ReadText(params, "sessionId"), mode = v1::ReadText(params, "modeId");
  if (!name || !mode) return Refuse(name ? mode.error() : name.error());
  const auto session = FindLive(*name);
  if (!session) return NoSession(*name);
  if (const Status set = session->SetOption("mode", *mode, true); !set) return Refuse(set.error());
  return Json::object();
}

AcpFace::Answer AcpFace::SetOption(const Json& params) {
  const auto name = v1::ReadText(params, "sessionId"), option = v1::ReadText(params, "configId");
  if (!name || !option) return Refuse(name ? option.error() : name.error());
  const auto value = v1::ReadOptionValue(params);
  if (!value) return Refuse(value.error());
  const auto session = FindLive(*name);
  if (!session) return NoSession(*name);
  if (const Status set = session->SetOption(*option, *value, false); !set) return Refuse(set.error());
  return Json{{"configOptions", v1::WriteOptions(session->Options(), context_.client)}};
}

// ---- who is open
// -------------------------------------------------------------------------------------------

std::shared_ptr<LiveSession> AcpFace::FindLive(const std::string& id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

std::shared_ptr<LiveSession> AcpFace::TakeLive(const std::string& id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return nullptr;
  std::shared_ptr<LiveSession> live = std::move(found->second);
  sessions_.erase(found);
  return live;
}

// An open session that is opened again ends first: what it was doing is cancelled. The one that is to be
// waited for; nullptr: none.
std::shared_ptr<LiveSession> AcpFace::EndLife(const std::string& id) {
  if (const std::shared_ptr<LiveSession> live = TakeLive(id)) {
    live->CancelAll();
    live->Finish(nullptr);
    ending_.push_back(live);
    return live;
  }
  const auto ending =
      std::ranges::find_if(ending_.rbegin(), ending_.rend(), [&](const auto& s) { return s->id() == id; });
  return ending == ending_.rend() ? nullptr : *ending;
}

// Those that have ended; their threads have nothing more to do, so that joining does not wait.
void AcpFace::Reap() {
  std::erase_if(ending_, [](const std::shared_ptr<LiveSession>& session) { return session->finished(); });
}

}  // namespace gptoss::agents
