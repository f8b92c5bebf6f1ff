#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "net/http_session.h"
#include "net/url.h"

namespace gptoss::net {
namespace {

// Idle handles that are kept; each may hold an open connection.
constexpr std::size_t kKeptSessions = 16;

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

// Values are never shown: one of them may be a token.
Status CheckHeaders(const HttpRequest& request) {
  if (!IsToken(request.method)) return Fail(ErrorCode::kInvalidArgument, "not a method of HTTP");
  for (const auto& [name, value] : request.headers) {
    if (!IsToken(name)) return Fail(ErrorCode::kInvalidArgument, "not a name of a header");
    if (value.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the value for the header {} has a line break or NUL inside", name));
    }
  }
  return {};
}

class BodySink : public HttpSink {
 public:
  BodySink(std::uint64_t max_body, std::string host) : max_body_(max_body), host_(std::move(host)) {}
  Status OnHead(const HttpHead& head) override {
    response.head = head;
    return {};
  }
  Status OnData(std::span<const std::byte> data) override {
    if (data.size() > max_body_ - response.body.size()) {
      return Fail(
          ErrorCode::kOutOfRange,
          fmt::format("the answer of {} is larger than the {} bytes that are accepted", host_, max_body_));
    }
    response.body.append(reinterpret_cast<const char*>(data.data()), data.size());
    return {};
  }
  HttpResponse response;

 private:
  const std::uint64_t max_body_;
  const std::string host_;
};

class CurlHttpClient : public HttpClient {
 public:
  explicit CurlHttpClient(const HttpClientOptions& options)
      : options_(options), shared_(std::make_shared<SharedState>()) {}

  Result<HttpResponse> Fetch(const HttpRequest& request, std::uint64_t max_body,
                             const CancelToken& cancel) override {
    GPTOSS_TRY(const Url url, ParseUrl(request.url));
    BodySink sink(max_body, url.host);
    GPTOSS_CHECK_OK(Run(request, url, true, sink, cancel));
    return std::move(sink.response);
  }

  Status Stream(const HttpRequest& request, HttpSink& sink, const CancelToken& cancel) override {
    GPTOSS_TRY(const Url url, ParseUrl(request.url));
    return Run(request, url, false, sink, cancel);
  }

 private:
  Status Run(const HttpRequest& request, const Url& url, bool decode, HttpSink& sink,
             const CancelToken& cancel) {
    GPTOSS_CHECK_OK(CheckHeaders(request));
    if (options_.refuse_plain && !url.secure()) {
      return Fail(ErrorCode::kPermissionDenied,
                  fmt::format("{} is not asked without encryption; use an https address", url.host));
    }
    std::unique_ptr<HttpSession> session = Take(url.origin());
    Status status = session->Run(request, url, decode, sink, cancel);
    GiveBack(std::move(session));
    return status;
  }

  // The handle that last spoke with this origin has a connection to it; else any, else a new one.
  std::unique_ptr<HttpSession> Take(const std::string& origin) {
    const std::lock_guard lock(mutex_);
    auto found = std::ranges::find_if(
        idle_, [&](const std::unique_ptr<HttpSession>& idle) { return idle->last_origin() == origin; });
    if (found == idle_.end() && idle_.size() >= kKeptSessions) found = idle_.begin();
    if (found == idle_.end()) return std::make_unique<HttpSession>(options_, shared_);
    std::unique_ptr<HttpSession> session = std::move(*found);
    idle_.erase(found);
    return session;
  }

  void GiveBack(std::unique_ptr<HttpSession> session) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kKeptSessions) idle_.push_back(std::move(session));
  }

  const HttpClientOptions options_;
  const std::shared_ptr<SharedState> shared_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<HttpSession>> idle_;
};

}  // namespace

std::optional<std::string_view> FindHeader(const Headers& headers, std::string_view name) {
  for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
    if (EqualIgnoringCase(header->first, name)) return header->second;
  }
  return std::nullopt;
}

Result<std::unique_ptr<HttpClient>> HttpClient::Create(const HttpClientOptions& options) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) {
    return Fail(ErrorCode::kInternal, fmt::format("libcurl does not start: {}", curl_easy_strerror(ready)));
  }
  if (options.user_agent.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "the name of this program for servers has a line break inside");
  }
  return std::make_unique<CurlHttpClient>(options);
}

}  // namespace gptoss::net
