#include "acp/client.h"

#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "acp/v1.h"
#include "base/text.h"
#include "net/json_rpc.h"
#include "net/rpc_question.h"
#include "platform/child_process.h"
#include "platform/output_tail.h"
#include "platform/system.h"

namespace gptoss::acp {
namespace {

using namespace std::chrono_literals;

class RunningAgent final : public Client {
 public:
  RunningAgent(ClientConfig config, std::unique_ptr<ChildProcess> child)
      : config_(std::move(config)),
        child_(std::move(child)),
        connection_(child_->output(), child_->input(), {.answer_noise = false}),
        errors_(child_->errors()) {
    reader_ = std::thread([this] { Read(); });
  }
  ~RunningAgent() override { Stop(); }
  RunningAgent(const RunningAgent&) = delete;
  RunningAgent& operator=(const RunningAgent&) = delete;

  Status ShakeHands(const CancelToken& cancel) {
    Json params{{"protocolVersion", v1::kVersion},
                {"clientCapabilities",
                 {{"session",
                   {{"configOptions", {{"boolean", Json::object()}}},
                    {"notices", Json::object()},
                    {"compaction", Json::object()}}}}},
                {"clientInfo", {{"name", "gptoss"}, {"version", config_.version}}}};
    GPTOSS_TRY(initialized_, Ask("initialize", std::move(params), config_.start_patience, cancel));
    const auto version = initialized_.is_object() ? initialized_.find("protocolVersion") : initialized_.end();
    if (!initialized_.is_object() || version == initialized_.end() || *version != v1::kVersion)
      return Fail(ErrorCode::kUnsupported, "it does not speak version 1 of the protocol");
    return {};
  }

  const Json& initialize_result() const override { return initialized_; }
  bool suspect() const override { return suspect_; }
  bool running() const override { return !ended_ && !suspect_; }

  Result<std::string> NewSession(const std::string& folder, const CancelToken& cancel) override {
    GPTOSS_TRY(const Json result, Ask("session/new", Json{{"cwd", folder}, {"mcpServers", Json::array()}},
                                      config_.start_patience, cancel));
    std::string id = TextOf(result, "sessionId");
    if (id.empty()) return Fail(ErrorCode::kDataLoss, "it opened a session without an id");
    return id;
  }

  Result<std::string> Prompt(const std::string& session, Json blocks, const CancelToken& cancel) override {
    GPTOSS_TRY(const auto question,
               Send("session/prompt", Json{{"sessionId", session}, {"prompt", std::move(blocks)}},
                    {.cancel = cancel}));
    std::optional<std::chrono::steady_clock::time_point> deadline;
    const auto begin = std::chrono::steady_clock::now();
    bool too_long = false;
    while (question->WaitFor(20ms) != Question::End::kAnswered) {
      if (!deadline && config_.turn_patience > 0ms &&
          std::chrono::steady_clock::now() - begin >= config_.turn_patience)
        too_long = true;
      if (!deadline && (too_long || cancel.cancelled())) {
        connection_.Notify("session/cancel", Json{{"sessionId", session}}, net::kAtOnce);
        deadline = std::chrono::steady_clock::now() + config_.cancel_patience;
      }
      if (!deadline || std::chrono::steady_clock::now() < *deadline) continue;
      suspect_ = true;
      if (question->GiveUp())
        return Fail(ErrorCode::kDeadlineExceeded, "it did not answer session/prompt in time");
    }
    GPTOSS_TRY(const Json result, Value(question->Take()));
    if (too_long)
      return Fail(
          ErrorCode::kDeadlineExceeded,
          fmt::format("the turn took longer than {} ms and was cancelled", config_.turn_patience.count()));
    return TextOf(result, "stopReason");
  }

  Result<Json> Ask(std::string_view method, Json params, std::chrono::milliseconds patience,
                   const CancelToken& cancel) override {
    GPTOSS_TRY(const auto question,
               Send(method, std::move(params),
                    {.cancel = cancel, .until = std::chrono::steady_clock::now() + patience}));
    const auto end = question->WaitFor(patience, cancel);
    if (end == Question::End::kAnswered || !question->GiveUp()) return Value(question->Take());
    connection_.Notify("$/cancel_request", Json{{"requestId", question->id()}}, net::kAtOnce);
    if (end == Question::End::kCancelled) return Fail(ErrorCode::kCancelled, "cancelled");
    return Fail(ErrorCode::kDeadlineExceeded, fmt::format("it did not answer {} in time", method));
  }

  int Stop() override {
    if (exit_) return *exit_;
    connection_.Close(200ms);
    child_->CloseInput();
    auto ended = child_->WaitFor(3s);
    if (!ended) {
      child_->SignalGroup(SIGTERM);
      ended = child_->WaitFor(1s);
    }
    if (!ended) ended = child_->KillGroup();
    if (reader_.joinable()) reader_.join();
    exit_ = ended->signal ? -*ended->signal : ended->code.value_or(0);
    return *exit_;
  }

 private:
  using Question = net::RpcQuestion;

  Result<std::unique_ptr<Question>> Send(std::string_view method, Json params, const net::RpcPace& pace) {
    if (suspect_) return Fail(ErrorCode::kUnavailable, "it hangs in a cancelled turn; start it again");
    return std::make_unique<Question>(connection_, method, std::move(params), pace);
  }

  Result<Json> Value(net::RpcReply reply) {
    if (reply) return std::move(*reply);
    const net::RpcError& error = reply.error();
    const std::string message = Excerpt(error.message, kMessageBytes);
    if (ended_) return Fail(ErrorCode::kUnavailable, fmt::format("it has ended{}", LastWords()));
    if (error.code == v1::kAuthRequired)
      return Fail(ErrorCode::kPermissionDenied, fmt::format("it wants a login first: {}", LoginMethods()));
    if (error.code == v1::kResourceNotFound) return Fail(ErrorCode::kNotFound, message);
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} (code {})", message, error.code));
  }

  std::string LoginMethods() const {
    std::string names;
    const auto methods = initialized_.is_object() ? initialized_.find("authMethods") : initialized_.end();
    if (!initialized_.is_object() || methods == initialized_.end() || !methods->is_array())
      return "it names no way";
    for (const Json& method : *methods) names += (names.empty() ? "" : ", ") + TextOf(method, "name");
    return names.empty() ? "it names no way" : Excerpt(names, kMessageBytes);
  }

  void Read() {
    NameThisThread("gptoss-client");
    const net::RpcHandlers handlers{
        .on_request = [this](const Json& id, const std::string& method,
                             const Json& params) { connection_.Reply(id, Answer(method, params)); },
        .on_notification =
            [this](const std::string& method, const Json& params) {
              if (method == "session/update" && config_.on_update) config_.on_update(params);
            }};
    static_cast<void>(connection_.Run(handlers, [this] { ended_ = true; }));
  }

  net::RpcReply Answer(const std::string& method, const Json& params) const {
    if (method != "session/request_permission")
      return std::unexpected(
          net::RpcError{.code = net::kRpcMethodNotFound,
                        .message = fmt::format("{} is not offered", Excerpt(method, kMessageBytes)),
                        .data = nullptr});
    std::optional<std::string> option;
    if (config_.on_permission) {
      option = config_.on_permission(params);
    } else if (const auto options = params.find("options"); options != params.end() && options->is_array()) {
      for (const Json& offered : *options) {
        if (!option && TextOf(offered, "kind").starts_with("reject")) option = TextOf(offered, "optionId");
      }
    }
    Json outcome =
        option ? Json{{"outcome", "selected"}, {"optionId", *option}} : Json{{"outcome", "cancelled"}};
    return Json{{"outcome", std::move(outcome)}};
  }

  std::string LastWords() const {
    const std::string line = errors_.LastLine();
    return line.empty() ? "" : ": " + Excerpt(line, kMessageBytes);
  }

  const ClientConfig config_;
  const std::unique_ptr<ChildProcess> child_;
  net::RpcConnection connection_;
  Json initialized_;
  std::atomic<bool> ended_{false}, suspect_{false};
  std::optional<int> exit_;
  OutputTail errors_;
  std::thread reader_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::Start(const ClientConfig& config, const CancelToken& cancel) {
  ChildOptions options{.argv = config.argv, .environment = config.environment, .folder = config.folder};
  options.input = ChildOptions::Input::kPipe;
  options.errors = ChildOptions::Errors::kPipe;
  GPTOSS_TRY(std::unique_ptr<ChildProcess> child, ChildProcess::Start(options));
  auto agent = std::make_unique<RunningAgent>(config, std::move(child));
  if (Status hands = agent->ShakeHands(cancel); !hands)
    return std::unexpected(std::move(hands).error().Within(config.argv.front()));
  return agent;
}

}  // namespace gptoss::acp
