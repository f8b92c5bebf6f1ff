// Rules of asking a Hub that hold for its API and for content alike: who may see the token, which redirects
// are followed, what is tried again and when.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/hub_client.h"
#include "net/http_client.h"
#include "net/url.h"

namespace gptoss::hub {

inline constexpr int kMostRedirects = 10;

// A value; safe from any thread.
class RequestPolicy {
 public:
  // kInvalidArgument: the endpoint is no web address, or the token has line breaks or blanks inside.
  static Result<RequestPolicy> Create(const HubOptions& options);

  const net::Url& endpoint() const { return endpoint_; }
  bool has_token() const { return !token_.empty(); }
  // The endpoint's own origin, over TLS or on this machine.
  bool MaySendToken(const net::Url& url) const;
  // A request with what every request has; the Authorization header only where it may be.
  net::HttpRequest Request(std::string_view method, const net::Url& url) const;
  // Where a 3xx leads. kPermissionDenied: from https to http. kDataLoss: nowhere, or no address.
  Result<net::Url> Redirect(const net::Url& from, const net::HttpHead& head) const;

 private:
  RequestPolicy(const HubOptions& options, net::Url endpoint)
      : options_(options), endpoint_(std::move(endpoint)), token_(options.token) {}
  HubOptions options_;
  net::Url endpoint_;
  std::string token_;
};

bool IsRedirect(int status);
bool IsTransient(int status);          // 408, 429, 5xx of a passing kind
bool IsTransient(const Error& error);  // kUnavailable, kDeadlineExceeded

// Exponential with jitter: attempt 1 waits about `base`, each further one twice as long, to 30 times base.
std::chrono::milliseconds BackoffWait(int attempt, std::chrono::milliseconds base);
// Sleeps on the monotonic clock; kCancelled within 50 ms of the token.
Status SleepFor(std::chrono::milliseconds time, const CancelToken& cancel);
// "3 minutes", "2 s".
std::string DurationText(std::chrono::milliseconds time);

// The error for a status that will not change by asking again. `what`: "the repository org/name".
Error RefusalError(const RequestPolicy& policy, const net::Url& url, const net::HttpHead& head,
                   const std::string& repository, const std::string& what);

}  // namespace gptoss::hub
