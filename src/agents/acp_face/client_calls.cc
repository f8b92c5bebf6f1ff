#include "agents/acp_face/client_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "acp/v1.h"

namespace gptoss::agents {
namespace {

using namespace std::chrono_literals;
namespace v1 = acp::v1;
constexpr auto kClientPatience = 10s;  // for what no person does
constexpr auto kEndPatience = 2s;      // for the end of a command that was killed
constexpr auto kLook = 20ms;           // so often the cancel token is looked at

// One request and its answer.
class Question {
 public:
  Question(acp::Connection& connection, std::string_view method, Json params)
      : connection_(connection), method_(method), answer_(std::make_shared<Answer>()) {
    call_ = connection_.Call(method, std::move(params), [answer = answer_](acp::Reply reply) {
      {
        std::lock_guard lock(answer->mutex);
        answer->reply = std::move(reply);
      }
      answer->came.notify_all();
    });
  }

  // False: not within `patience` (none: it takes what it takes), or the turn was cancelled.
  bool Wait(std::optional<std::chrono::milliseconds> patience, const CancelToken& cancel) const {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(answer_->mutex);
    while (!answer_->came.wait_for(lock, kLook, [&] { return answer_->reply.has_value(); })) {
      if (cancel.cancelled() || (patience && std::chrono::steady_clock::now() - begin >= *patience))
        return false;
    }
    return true;
  }
  void Withdraw() const {
    if (connection_.Abandon(call_, v1::kRequestCancelled, "withdrawn")) TellWithdrawn();
  }
  void TellWithdrawn() const { connection_.Notify("$/cancel_request", Json{{"requestId", call_}}, false); }
  acp::Reply Take() const {
    std::lock_guard lock(answer_->mutex);
    return std::move(answer_->reply).value_or(std::unexpected(acp::RpcError{}));
  }
  // The answer, waited for; a question that is given up is withdrawn.
  Result<Json> Value(std::optional<std::chrono::milliseconds> patience, const CancelToken& cancel) const {
    if (!Wait(patience, cancel)) {
      Withdraw();
      if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
      return Fail(ErrorCode::kDeadlineExceeded, fmt::format("the client did not answer {} in time", method_));
    }
    acp::Reply reply = Take();
    if (!reply)
      return Fail(ErrorCode::kInternal, fmt::format("the client answered: {}", reply.error().message));
    return std::move(*reply);
  }

 private:
  struct Answer {
    std::mutex mutex;
    std::condition_variable came;
    std::optional<acp::Reply> reply;
  };
  acp::Connection& connection_;
  const std::string method_;
  const std::shared_ptr<Answer> answer_;
  std::int64_t call_ = 0;
};

// `wait` false: for the thread that reads.
void Release(acp::Connection& connection, const std::string& session, const std::string& terminal,
             bool wait) {
  connection.Call(
      "terminal/release", Json{{"sessionId", session}, {"terminalId", terminal}}, [](const acp::Reply&) {},
      wait);
}

std::string TerminalId(const acp::Reply& reply) {
  if (!reply || !reply->is_object()) return "";
  const auto id = reply->find("terminalId");
  return id != reply->end() && id->is_string() ? id->get<std::string>() : "";
}

class Terminal final : public ClientTerminal {
 public:
  Terminal(acp::Connection& connection, std::string session, std::string id, CancelToken cancel)
      : connection_(connection),
        session_(std::move(session)),
        id_(std::move(id)),
        cancel_(std::move(cancel)) {}
  ~Terminal() override {
    if (exit_) exit_->Withdraw();
    Release(connection_, session_, id_, true);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  const std::string& id() const override { return id_; }
  Result<std::optional<acp::TerminalExit>> WaitForExit(std::chrono::milliseconds patience) override {
    if (!exit_) exit_ = Ask("terminal/wait_for_exit");
    if (!exit_->Wait(patience, cancel_)) return std::optional<acp::TerminalExit>();
    GPTOSS_TRY(const Json exit, exit_->Value(0ms, CancelToken()));
    exit_.reset();
    return std::optional(v1::ReadTerminalExit(exit));
  }
  std::optional<acp::TerminalExit> Kill() override {
    if (!exit_) exit_ = Ask("terminal/wait_for_exit");
    const std::unique_ptr<Question> kill = Ask("terminal/kill");
    const bool ended = exit_->Wait(kEndPatience, CancelToken());
    kill->Withdraw();
    if (!ended) return std::nullopt;
    const auto exit = exit_->Value(0ms, CancelToken());
    exit_.reset();
    return exit ? std::optional(v1::ReadTerminalExit(*exit)) : std::nullopt;
  }
  Result<acp::TerminalOutput> Output() override {
    GPTOSS_TRY(const Json output, Ask("terminal/output")->Value(kEndPatience, CancelToken()));
    return v1::ReadTerminalOutput(output);
  }

 private:
  std::unique_ptr<Question> Ask(std::string_view method) const {
    return std::make_unique<Question>(connection_, method,
                                      Json{{"sessionId", session_}, {"terminalId", id_}});
  }

  acp::Connection& connection_;
  const std::string session_, id_;
  const CancelToken cancel_;
  std::unique_ptr<Question> exit_;  // the client says when the command ends
};

// A terminal that the client makes after nobody waits for it any more is given back at once.
class Opening {
 public:
  Opening(acp::Connection& connection, const std::string& session, const acp::TerminalCommand& command)
      : state_(std::make_shared<State>()) {
    call_ = connection.Call("terminal/create", v1::WriteTerminalCommand(command, session),
                            [state = state_, &connection, session](acp::Reply reply) {
                              bool late = false;
                              const std::string id = TerminalId(reply);
                              {
                                std::lock_guard lock(state->mutex);
                                late = state->given_up;
                                state->reply = std::move(reply);
                              }
                              state->came.notify_all();
                              if (late && !id.empty()) Release(connection, session, id, false);
                            });
  }
  // nullopt: given up.
  std::optional<acp::Reply> Wait(const CancelToken& cancel) const {
    const auto deadline = std::chrono::steady_clock::now() + kClientPatience;
    std::unique_lock lock(state_->mutex);
    while (!state_->came.wait_for(lock, kLook, [&] { return state_->reply.has_value(); })) {
      if (!cancel.cancelled() && std::chrono::steady_clock::now() < deadline) continue;
      state_->given_up = true;
      return std::nullopt;
    }
    return std::move(state_->reply);
  }
  std::int64_t call() const { return call_; }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable came;
    std::optional<acp::Reply> reply;
    bool given_up = false;
  };
  const std::shared_ptr<State> state_;
  std::int64_t call_ = 0;
};

}  // namespace

acp::PermissionOutcome ClientCalls::AskPermission(const acp::ToolCall& call,
                                                  const std::vector<acp::PermissionOption>& options,
                                                  const Json& trace, const CancelToken& cancel) const {
  using Kind = acp::PermissionOutcome::Kind;
  Json params{{"sessionId", session_},
              {"toolCall", v1::WriteToolCall(call)},
              {"options", v1::WritePermissionOptions(options)}};
  if (!trace.is_null()) params["_meta"] = trace;
  auto answer =
      Question(connection_, "session/request_permission", std::move(params)).Value(std::nullopt, cancel);
  if (!answer) return {.kind = cancel.cancelled() ? Kind::kCancelled : Kind::kDenied, .option = {}};
  acp::PermissionOutcome outcome = v1::ReadPermissionOutcome(std::move(*answer));
  const bool offered =
      std::ranges::any_of(options, [&](const auto& option) { return option.id == outcome.option; });
  if (outcome.kind == Kind::kSelected && !offered) outcome.kind = Kind::kDenied;
  return outcome;
}

acp::FormOutcome ClientCalls::AskForm(const acp::Form& form, const CancelToken& cancel) const {
  using Kind = acp::FormOutcome::Kind;
  const auto answer =
      Question(connection_, "elicitation/create", v1::WriteForm(form, session_)).Value(std::nullopt, cancel);
  if (!answer) return {.kind = cancel.cancelled() ? Kind::kCancelled : Kind::kFailed, .answers = {}};
  return v1::ReadFormOutcome(*answer);
}

Result<std::string> ClientCalls::ReadFile(const std::string& path, const CancelToken& cancel) const {
  GPTOSS_TRY(const Json answer,
             Question(connection_, "fs/read_text_file", Json{{"sessionId", session_}, {"path", path}})
                 .Value(kClientPatience, cancel));
  auto content = v1::ReadText(answer, "content");
  if (!content) return Fail(ErrorCode::kInternal, "the client answered without content");
  return content;
}

Status ClientCalls::WriteFile(const std::string& path, std::string_view text,
                              const CancelToken& cancel) const {
  const auto answer = Question(connection_, "fs/write_text_file",
                               Json{{"sessionId", session_}, {"path", path}, {"content", text}})
                          .Value(kClientPatience, cancel);
  if (!answer) return std::unexpected(Error(answer.error()).Within(path));
  return {};
}

Result<std::unique_ptr<ClientTerminal>> ClientCalls::OpenTerminal(const acp::TerminalCommand& command,
                                                                  const CancelToken& cancel) const {
  const Opening opening(connection_, session_, command);
  const std::optional<acp::Reply> reply = opening.Wait(cancel);
  if (!reply) {
    connection_.Notify("$/cancel_request", Json{{"requestId", opening.call()}}, false);
    return cancel.cancelled() ? Fail(ErrorCode::kCancelled, "cancelled")
                              : Fail(ErrorCode::kDeadlineExceeded, "the client opened no terminal in time");
  }
  if (!*reply)
    return Fail(ErrorCode::kInternal,
                fmt::format("the client opened no terminal: {}", reply->error().message));
  std::string id = TerminalId(*reply);
  if (id.empty()) return Fail(ErrorCode::kInternal, "the client opened a terminal without an id");
  return std::make_unique<Terminal>(connection_, session_, std::move(id), cancel);
}

}  // namespace gptoss::agents
