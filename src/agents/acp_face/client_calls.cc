#include "agents/acp_face/client_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "acp/v1.h"
#include "base/text.h"

namespace gptoss::agents {
namespace {

using namespace std::chrono_literals;
namespace v1 = acp::v1;
constexpr auto kEndPatience = 2s;  // for the end of a command that was killed
using acp::Question;

void Withdraw(acp::Connection& connection, const Question& question) {
  if (question.GiveUp())
    connection.Notify("$/cancel_request", Json{{"requestId", question.id()}}, acp::kAtOnce);
}

std::string Said(const acp::Reply& reply) { return Excerpt(reply.error().message, kMessageBytes); }

// The answer, waited for; a question that is given up is withdrawn. `patience`: none: it takes what it takes.
Result<Json> Answer(acp::Connection& connection, std::string_view method, const Question& question,
                    std::optional<std::chrono::milliseconds> patience, const CancelToken& cancel) {
  const auto end = question.WaitFor(patience, cancel);
  if (end != Question::End::kAnswered) {
    Withdraw(connection, question);
    if (end == Question::End::kCancelled) return Fail(ErrorCode::kCancelled, "cancelled");
    return Fail(ErrorCode::kDeadlineExceeded, fmt::format("the client did not answer {} in time", method));
  }
  acp::Reply reply = question.Take();
  if (!reply) return Fail(ErrorCode::kInternal, fmt::format("the client answered: {}", Said(reply)));
  return std::move(*reply);
}

Result<Json> Ask(acp::Connection& connection, std::string_view method, Json params,
                 std::optional<std::chrono::milliseconds> patience, const CancelToken& cancel) {
  const Question question(connection, method, std::move(params), {.cancel = cancel});
  return Answer(connection, method, question, patience, cancel);
}

void Release(acp::Connection& connection, const std::string& session, const std::string& terminal) {
  connection.Call(
      "terminal/release", Json{{"sessionId", session}, {"terminalId", terminal}}, [](const acp::Reply&) {},
      acp::kAtOnce);
}

std::string TerminalId(const acp::Reply& reply) {
  if (!reply || !reply->is_object()) return "";
  const auto id = reply->find("terminalId");
  return id != reply->end() && id->is_string() ? id->get<std::string>() : "";
}

class Terminal final : public ClientTerminal {
 public:
  Terminal(acp::Connection& connection, std::string session, std::string id, CancelToken cancel,
           std::chrono::milliseconds end_patience)
      : connection_(connection),
        session_(std::move(session)),
        id_(std::move(id)),
        cancel_(std::move(cancel)),
        end_patience_(end_patience) {}
  ~Terminal() override {
    if (exit_) Withdraw(connection_, *exit_);
    Release(connection_, session_, id_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  const std::string& id() const override { return id_; }
  Result<std::optional<acp::TerminalExit>> WaitForExit(std::chrono::milliseconds patience) override {
    if (!exit_) exit_ = Ask(kWait);
    if (exit_->WaitFor(patience, cancel_) != Question::End::kAnswered)
      return std::optional<acp::TerminalExit>();
    const std::unique_ptr<Question> exit = std::move(exit_);
    GPTOSS_TRY(const Json answer, Answer(connection_, kWait, *exit, 0ms, CancelToken()));
    return std::optional(v1::ReadTerminalExit(answer));
  }
  std::optional<acp::TerminalExit> Kill() override {
    if (!exit_) exit_ = Ask(kWait);
    const std::unique_ptr<Question> kill = Ask("terminal/kill");
    const bool ended = exit_->WaitFor(end_patience_) == Question::End::kAnswered;
    Withdraw(connection_, *kill);
    if (!ended) return std::nullopt;
    const std::unique_ptr<Question> exit = std::move(exit_);
    const auto answer = Answer(connection_, kWait, *exit, 0ms, CancelToken());
    return answer ? std::optional(v1::ReadTerminalExit(*answer)) : std::nullopt;
  }
  Result<acp::TerminalOutput> Output() override {
    GPTOSS_TRY(const Json output,
               Answer(connection_, "terminal/output", *Ask("terminal/output"), end_patience_, CancelToken()));
    return v1::ReadTerminalOutput(output);
  }

 private:
  static constexpr std::string_view kWait = "terminal/wait_for_exit";
  std::unique_ptr<Question> Ask(std::string_view method) const {
    return std::make_unique<Question>(connection_, method, Json{{"sessionId", session_}, {"terminalId", id_}},
                                      acp::Pace{.cancel = cancel_});
  }

  acp::Connection& connection_;
  const std::string session_, id_;
  const CancelToken cancel_;
  const std::chrono::milliseconds end_patience_;
  std::unique_ptr<Question> exit_;  // the client says when the command ends
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
  auto answer = Ask(connection_, "session/request_permission", std::move(params), std::nullopt, cancel);
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
      Ask(connection_, "elicitation/create", v1::WriteForm(form, session_), std::nullopt, cancel);
  if (!answer) return {.kind = cancel.cancelled() ? Kind::kCancelled : Kind::kFailed, .answers = {}};
  return v1::ReadFormOutcome(*answer);
}

Result<std::string> ClientCalls::ReadFile(const std::string& path, const CancelToken& cancel) const {
  GPTOSS_TRY(const Json answer, Ask(connection_, "fs/read_text_file",
                                    Json{{"sessionId", session_}, {"path", path}}, patience_, cancel));
  auto content = v1::ReadText(answer, "content");
  if (!content) return Fail(ErrorCode::kInternal, "the client answered without content");
  return content;
}

Status ClientCalls::WriteFile(const std::string& path, std::string_view text,
                              const CancelToken& cancel) const {
  const auto answer =
      Ask(connection_, "fs/write_text_file", Json{{"sessionId", session_}, {"path", path}, {"content", text}},
          patience_, cancel);
  if (!answer) return std::unexpected(Error(answer.error()).Within(path));
  return {};
}

Result<std::unique_ptr<ClientTerminal>> ClientCalls::OpenTerminal(const acp::TerminalCommand& command,
                                                                  const CancelToken& cancel) const {
  // A terminal that the client makes after nobody waits for it any more is given back at once.
  const auto give_back = [&connection = connection_, session = session_](const acp::Reply& reply) {
    if (const std::string id = TerminalId(reply); !id.empty()) Release(connection, session, id);
  };
  const Question question(connection_, "terminal/create", v1::WriteTerminalCommand(command, session_),
                          {.cancel = cancel}, give_back);
  const auto end = question.WaitFor(patience_, cancel);
  if (end != Question::End::kAnswered && question.GiveUp()) {
    connection_.Notify("$/cancel_request", Json{{"requestId", question.id()}}, acp::kAtOnce);
    return end == Question::End::kCancelled
               ? Fail(ErrorCode::kCancelled, "cancelled")
               : Fail(ErrorCode::kDeadlineExceeded, "the client opened no terminal in time");
  }
  const acp::Reply reply = question.Take();
  if (!reply)
    return Fail(ErrorCode::kInternal, fmt::format("the client opened no terminal: {}", Said(reply)));
  std::string id = TerminalId(reply);
  if (id.empty()) return Fail(ErrorCode::kInternal, "the client opened a terminal without an id");
  return std::make_unique<Terminal>(connection_, session_, std::move(id), cancel,
                                    std::min<std::chrono::milliseconds>(kEndPatience, patience_));
}

}  // namespace gptoss::agents
