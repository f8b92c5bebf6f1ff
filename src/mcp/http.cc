// A server at an address: streamable HTTP. Each message is a POST; the answer is JSON or a stream of events.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "base/text.h"
#include "mcp/event_stream.h"
#include "mcp/transport.h"
#include "net/http_client.h"
#include "net/json_rpc.h"

namespace gptoss::mcp {
namespace {

// For what a server is told at the end: it must not keep us.
constexpr auto kCourtesy = std::chrono::milliseconds(300);
constexpr std::size_t kMaxBody = std::size_t{32} << 20;

// Takes one answer, in whichever form it comes, until the reply to `id` is there.
class ReplySink final : public net::HttpSink {
 public:
  ReplySink(std::int64_t id, std::chrono::milliseconds patience)
      : id_(id), deadline_(std::chrono::steady_clock::now() + patience) {}

  Status OnHead(const net::HttpHead& head) override {
    status_ = head.status;
    if (const auto session = net::FindHeader(head.headers, "Mcp-Session-Id"))
      session_ = std::string(*session);
    const auto type = net::FindHeader(head.headers, "Content-Type");
    streams_ = type && type->starts_with("text/event-stream");
    return {};
  }
  Status OnData(std::span<const std::byte> data) override {
    // A server that says a little now and then is no answer either.
    if (std::chrono::steady_clock::now() >= deadline_)
      return Fail(ErrorCode::kDeadlineExceeded, "no answer in time");
    const std::string_view bytes(reinterpret_cast<const char*>(data.data()), data.size());
    if (streams_ && status_ < 300) {
      GPTOSS_CHECK_OK(events_.Push(bytes, [this](std::string_view event) { Message(event); }));
      // The stream may stay open; what was asked for is there.
      return reply_ ? Fail(ErrorCode::kCancelled, "answered") : Status();
    }
    body_ += bytes;
    return body_.size() > kMaxBody ? Fail(ErrorCode::kOutOfRange, "an answer larger than 32 MiB") : Status();
  }
  void Finish() {
    if (streams_) {
      events_.Finish([this](std::string_view event) { Message(event); });
    } else if (status_ >= 200 && status_ < 300) {
      Message(body_);
    }
  }
  const std::optional<net::RpcReply>& reply() const { return reply_; }
  const std::optional<std::string>& session() const { return session_; }
  int status() const { return status_; }
  std::string_view body() const { return body_; }

 private:
  void Message(std::string_view text) {
    net::RpcMessage message = net::ReadRpcMessage(text);
    if (message.kind == net::RpcMessage::Kind::kReply && message.id == Json(id_))
      reply_ = std::move(message.reply);
  }

  const std::int64_t id_;
  const std::chrono::steady_clock::time_point deadline_;
  int status_ = 0;
  bool streams_ = false;
  EventStream events_;
  std::string body_;
  std::optional<std::string> session_;
  std::optional<net::RpcReply> reply_;
};

class Http final : public Transport {
 public:
  Http(const ServerConfig& config, std::unique_ptr<net::HttpClient> client)
      : url_(config.url),
        headers_(config.headers.begin(), config.headers.end()),
        client_(std::move(client)) {}
  ~Http() override {
    net::HttpRequest request = Request("DELETE", "");
    if (session_.empty()) return;
    request.connect_timeout = request.idle_timeout = kCourtesy;
    static_cast<void>(client_->Fetch(request, 1 << 16, {}));  // a courtesy; servers may refuse it
  }
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  Result<Json> Ask(std::string_view method, Json params, std::chrono::milliseconds patience,
                   const CancelToken& cancel) override {
    const std::int64_t id = next_++;
    const Json message{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}};
    net::HttpRequest request = Request("POST", DumpJson(message));
    request.idle_timeout = patience;
    ReplySink sink(id, patience);
    const Status sent = client_->Stream(request, sink, cancel);
    sink.Finish();
    if (const auto& session = sink.session()) {
      std::lock_guard lock(mutex_);
      session_ = *session;
    }
    if (const auto& reply = sink.reply()) {
      const net::RpcReply& answer = *reply;
      if (answer) return *answer;
      const net::RpcError& error = answer.error();
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} (code {})", Excerpt(error.message, kMessageBytes), error.code));
    }
    if (!sent) {
      if (cancel.cancelled())
        static_cast<void>(Post("notifications/cancelled", Json{{"requestId", id}}, kCourtesy));
      return std::unexpected(sent.error());
    }
    if (sink.status() >= 300)
      return Fail(sink.status() == 401 || sink.status() == 403 ? ErrorCode::kPermissionDenied
                                                               : ErrorCode::kUnavailable,
                  fmt::format("{} answered {} to {}", Excerpt(url_, kMessageBytes), sink.status(), method));
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{} did not answer {}", Excerpt(url_, kMessageBytes), method));
  }
  Status Tell(std::string_view method, Json params) override {
    return Post(method, std::move(params), std::chrono::milliseconds(5000));
  }
  void Agreed(const std::string& protocol_version) override {
    std::lock_guard lock(mutex_);
    version_ = protocol_version;
  }

 private:
  Status Post(std::string_view method, Json params, std::chrono::milliseconds patience) {
    const Json message{{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
    net::HttpRequest request = Request("POST", DumpJson(message));
    request.connect_timeout = request.idle_timeout = patience;
    GPTOSS_TRY(const net::HttpResponse response, client_->Fetch(request, 1 << 20, {}));
    if (response.head.status >= 300)
      return Fail(ErrorCode::kUnavailable, fmt::format("{} answered {} to {}", Excerpt(url_, kMessageBytes),
                                                       response.head.status, method));
    return {};
  }
  net::HttpRequest Request(std::string method, std::string body) {
    net::HttpRequest request{
        .method = std::move(method), .url = url_, .headers = headers_, .body = std::move(body)};
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Accept", "application/json, text/event-stream");
    std::lock_guard lock(mutex_);
    if (!session_.empty()) request.headers.emplace_back("Mcp-Session-Id", session_);
    if (!version_.empty()) request.headers.emplace_back("MCP-Protocol-Version", version_);
    return request;
  }

  const std::string url_;
  const net::Headers headers_;
  const std::unique_ptr<net::HttpClient> client_;
  std::mutex mutex_;
  std::string session_, version_;
  std::atomic<std::int64_t> next_{1};
};

}  // namespace

Result<std::unique_ptr<Transport>> OpenHttp(const ServerConfig& config) {
  GPTOSS_TRY(std::unique_ptr<net::HttpClient> client, net::HttpClient::Create({.user_agent = "gptoss"}));
  return std::make_unique<Http>(config, std::move(client));
}

}  // namespace gptoss::mcp
