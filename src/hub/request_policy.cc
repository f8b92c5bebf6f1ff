#include "hub/request_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>

#include "hub/http_text.h"

namespace gptoss::hub {

Result<RequestPolicy> RequestPolicy::Create(const HubOptions& options) {
  auto endpoint = net::ParseUrl(options.endpoint);
  if (!endpoint)
    return std::unexpected(std::move(endpoint).error().Within("the Hub's address (HF_ENDPOINT)"));
  const bool printable = std::ranges::all_of(options.token, [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u > 0x20 && u < 0x7F;
  });
  if (!printable) {
    return Fail(ErrorCode::kInvalidArgument,
                "the access token has blanks or special characters inside; check HF_TOKEN or the token file");
  }
  return RequestPolicy(options, std::move(*endpoint));
}

bool RequestPolicy::MaySendToken(const net::Url& url) const {
  return !token_.empty() && url.origin() == endpoint_.origin() && (url.secure() || url.loopback());
}

net::HttpRequest RequestPolicy::Request(std::string_view method, const net::Url& url) const {
  net::HttpRequest request;
  request.method = std::string(method);
  request.url = url.text;
  request.connect_timeout = options_.connect_timeout;
  request.idle_timeout = options_.stall_timeout;
  if (MaySendToken(url)) request.headers.emplace_back("Authorization", "Bearer " + token_);
  return request;
}

Result<net::Url> RequestPolicy::Redirect(const net::Url& from, const net::HttpHead& head) const {
  const auto location = net::FindHeader(head.headers, "location");
  if (!location || location->empty()) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{} redirects ({}) without saying where to", from.host, head.status));
  }
  auto to = net::ResolveUrl(from, *location);
  if (!to) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{} redirects to something that is no web address ({})",
                                                  from.host, to.error().message));
  }
  if (from.secure() && !to->secure() && !(endpoint_.loopback() && to->loopback())) {
    return Fail(
        ErrorCode::kPermissionDenied,
        fmt::format("{} redirects to {} without encryption; that is not followed", from.host, to->host));
  }
  return std::move(*to);
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool IsTransient(int status) {
  return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504 || (status >= 520 && status <= 530);  // 52x: a CDN cannot reach its origin
}

bool IsTransient(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kDeadlineExceeded;
}

std::chrono::milliseconds BackoffWait(int attempt, std::chrono::milliseconds base) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const std::int64_t whole =
      std::min<std::int64_t>(base.count() << std::clamp(attempt - 1, 0, 5), base.count() * 30);
  // Between 3/4 and 5/4: many clients that failed together do not come back together.
  std::uniform_int_distribution<std::int64_t> jitter(whole * 3 / 4, whole * 5 / 4);
  return std::chrono::milliseconds(jitter(random));
}

Status SleepFor(std::chrono::milliseconds time, const CancelToken& cancel) {
  const auto end = std::chrono::steady_clock::now() + time;
  for (;;) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return {};
    std::this_thread::sleep_for(
        std::min<std::chrono::steady_clock::duration>(left, std::chrono::milliseconds(50)));
  }
}

std::string DurationText(std::chrono::milliseconds time) {
  const auto seconds = (time.count() + 999) / 1000;
  return seconds < 120 ? fmt::format("{} s", seconds) : fmt::format("{} minutes", (seconds + 59) / 60);
}

Error RefusalError(const RequestPolicy& policy, const net::Url& url, const net::HttpHead& head,
                   const std::string& repository, const std::string& what) {
  const std::string code(net::FindHeader(head.headers, "x-error-code").value_or(""));
  const std::string said = ForMessage(net::FindHeader(head.headers, "x-error-message").value_or(""));
  std::string tail = said.empty() ? "" : fmt::format(" ({} says: {})", url.host, said);
  if (const auto id = net::FindHeader(head.headers, "x-request-id")) {
    tail += fmt::format(" [request {}]", ForMessage(id->substr(0, std::min<std::size_t>(id->size(), 80))));
  }
  const std::string how = "set HF_TOKEN, or write the token to the file named by HF_TOKEN_PATH";
  if (code == "GatedRepo") {
    return {ErrorCode::kPermissionDenied,
            fmt::format("{} asks everybody to accept its licence first: do that at {}/{} and give the access "
                        "token of that account ({}){}",
                        repository, policy.endpoint().origin(), repository, how, tail)};
  }
  if (said == "Access to this resource is disabled.") {
    return {ErrorCode::kPermissionDenied, fmt::format("{} was disabled by {}", what, url.host)};
  }
  if (code == "RevisionNotFound" || code == "EntryNotFound" || head.status == 404 || head.status == 410) {
    const std::string hint = code == "RevisionNotFound" ? "check the revision after '@'"
                             : code == "EntryNotFound"  ? "the file may have been removed since"
                             : policy.has_token()       ? "check its name, or whether this token may see it"
                                                        : "check its name; if it is private, " + how;
    return {ErrorCode::kNotFound, fmt::format("{} is not at {}; {}{}", what, url.host, hint, tail)};
  }
  if (head.status == 401 && policy.has_token()) {
    return {ErrorCode::kPermissionDenied,
            fmt::format("{} does not accept the access token for {}; make a new one, or run without it "
                        "(HF_HUB_DISABLE_IMPLICIT_TOKEN=1){}",
                        url.host, what, tail)};
  }
  if (head.status == 401) {
    return {ErrorCode::kPermissionDenied,
            fmt::format("{} does not exist at {} or is private; check its name, and if it is private, {}{}",
                        what, url.host, how, tail)};
  }
  if (head.status == 403) {
    return {ErrorCode::kPermissionDenied, fmt::format("{} refuses access to {}{}", url.host, what, tail)};
  }
  return {ErrorCode::kUnavailable, fmt::format("{} answered {} for {}{}", url.host, head.status, what, tail)};
}

}  // namespace gptoss::hub
