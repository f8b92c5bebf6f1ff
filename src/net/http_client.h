// HTTP(S) requests over libcurl: TLS always verified, proxies and certificate files from the environment,
// HTTP/2 where the server offers it. It follows no redirects and retries nothing: both are policies of
// callers, who know which host may see a token.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"

namespace gptoss::net {

using Headers = std::vector<std::pair<std::string, std::string>>;
// The last value of that name, in any case of letters; nullopt if there is none.
std::optional<std::string_view> FindHeader(const Headers& headers, std::string_view name);

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  bool fresh_connection = false;  // do not take a kept connection
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds idle_timeout{30'000};  // no byte for so long: kDeadlineExceeded
  std::uint64_t max_header_bytes = 256 * 1024;
};

struct HttpHead {
  int status = 0;
  Headers headers;
  std::string version;  // "1.1", "2"
};

struct HttpResponse {
  HttpHead head;
  std::string body;
};

// Receives one answer on the thread that runs the transfer. Returning an error ends the transfer with it.
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  virtual Status OnHead(const HttpHead& head) = 0;
  virtual Status OnData(std::span<const std::byte> data) = 0;
};

struct HttpClientOptions {
  std::string user_agent;
  std::string ca_file;        // "": SSL_CERT_FILE, else the system's
  bool refuse_plain = false;  // https only (a plain URL is kPermissionDenied)
};

// Safe from any thread: each call runs its own transfer, connections are kept and shared.
// Errors name host and cause, and the proxy where one was used: kUnavailable (DNS, refused, reset, closed
// early), kDeadlineExceeded, kPermissionDenied (TLS verification: who issued the certificate and how to add a
// CA), kCancelled (within 100 ms of the token), kOutOfRange (larger than allowed), kInvalidArgument (URL).
class HttpClient {
 public:
  static Result<std::unique_ptr<HttpClient>> Create(const HttpClientOptions& options);
  virtual ~HttpClient() = default;
  // The whole answer in memory; at most `max_body` decoded bytes (a small body that inflates is stopped
  // there).
  virtual Result<HttpResponse> Fetch(const HttpRequest& request, std::uint64_t max_body,
                                     const CancelToken& cancel) = 0;
  // The answer into `sink` as it comes, never decoded (Accept-Encoding: identity).
  virtual Status Stream(const HttpRequest& request, HttpSink& sink, const CancelToken& cancel) = 0;
};

}  // namespace gptoss::net
