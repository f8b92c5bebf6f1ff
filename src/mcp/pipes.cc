// A server as a child: JSON-RPC over its stdin and stdout, what it complains about kept from its stderr.
#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <thread>
#include <utility>

#include "base/text.h"
#include "mcp/transport.h"
#include "net/json_rpc.h"
#include "net/rpc_question.h"
#include "platform/child_process.h"
#include "platform/output_tail.h"
#include "platform/system.h"

namespace gptoss::mcp {
namespace {

using namespace std::chrono_literals;

class Pipes final : public Transport {
 public:
  explicit Pipes(std::unique_ptr<ChildProcess> child)
      : child_(std::move(child)),
        // Servers print the strangest things to stdout; they are passed over.
        connection_(child_->output(), child_->input(), {.answer_noise = false}),
        errors_(child_->errors()) {
    reader_ = std::thread([this] { Read(); });
  }
  ~Pipes() override {
    connection_.Close();
    child_->CloseInput();
    if (!child_->WaitFor(300ms)) {
      child_->SignalGroup(SIGTERM);
      if (!child_->WaitFor(200ms)) child_->KillGroup();
    }
    if (reader_.joinable()) reader_.join();
  }
  Pipes(const Pipes&) = delete;
  Pipes& operator=(const Pipes&) = delete;

  Result<Json> Ask(std::string_view method, Json params, std::chrono::milliseconds patience,
                   const CancelToken& cancel) override {
    const net::RpcQuestion question(connection_, method, std::move(params),
                                    {.cancel = cancel, .until = std::chrono::steady_clock::now() + patience});
    const auto end = question.WaitFor(patience, cancel);
    if (end != net::RpcQuestion::End::kAnswered && question.GiveUp()) {
      connection_.Notify("notifications/cancelled", Json{{"requestId", question.id()}}, net::kAtOnce);
      if (end == net::RpcQuestion::End::kCancelled) return Fail(ErrorCode::kCancelled, "cancelled");
      return Fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("no answer to {} within {} s", method, patience.count() / 1000));
    }
    net::RpcReply reply = question.Take();
    if (reply) return std::move(*reply);
    if (ended_) return Fail(ErrorCode::kUnavailable, fmt::format("the server has ended{}", LastWords()));
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} (code {})", Excerpt(reply.error().message, kMessageBytes), reply.error().code));
  }
  Status Tell(std::string_view method, Json params) override {
    connection_.Notify(method, std::move(params), net::kAtOnce);
    return {};
  }
  void Agreed(const std::string&) override {}

 private:
  void Read() {
    NameThisThread("gptoss-mcp");
    const net::RpcHandlers handlers{
        .on_request =
            [this](const Json& id, const std::string& method, const Json&) {
              if (method == "ping") return connection_.Reply(id, Json::object());
              connection_.Reply(
                  id, std::unexpected(net::RpcError{
                          .code = net::kRpcMethodNotFound, .message = "not offered here", .data = nullptr}));
            },
        .on_notification = [](const std::string&, const Json&) {}};
    // Set before the calls that wait are answered with its end.
    static_cast<void>(connection_.Run(handlers, [this] { ended_ = true; }));
  }
  std::string LastWords() const {
    const std::string line = errors_.LastLine();
    return line.empty() ? "" : ": " + Excerpt(line, kMessageBytes);
  }

  std::unique_ptr<ChildProcess> child_;
  net::RpcConnection connection_;
  std::atomic<bool> ended_{false};
  OutputTail errors_;
  std::thread reader_;
};

}  // namespace

Result<std::unique_ptr<Transport>> StartPipes(const ServerConfig& config) {
  ChildOptions options{.argv = {config.command}, .environment = config.environment, .folder = config.folder};
  options.argv.insert(options.argv.end(), config.arguments.begin(), config.arguments.end());
  options.input = ChildOptions::Input::kPipe;
  options.errors = ChildOptions::Errors::kPipe;
  GPTOSS_TRY(std::unique_ptr<ChildProcess> child, ChildProcess::Start(options));
  return std::make_unique<Pipes>(std::move(child));
}

}  // namespace gptoss::mcp
