// One libcurl handle with its kept connections, used by one call at a time. Private to net.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/error.h"
#include "net/http_client.h"
#include "net/url.h"

namespace gptoss::net {

// Names and TLS sessions that all handles of one client share; locked inside.
class SharedState {
 public:
  SharedState();
  ~SharedState();
  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;
  CURLSH* get() const { return share_; }

 private:
  struct Locks;
  std::unique_ptr<Locks> locks_;
  CURLSH* share_ = nullptr;
};

// What the TLS library said when it refused a certificate.
struct CertificateRefusal {
  bool refused = false;
  std::string issuer, subject, reason;
};

class HttpSession {
 public:
  HttpSession(const HttpClientOptions& options, std::shared_ptr<SharedState> shared);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  // `decode`: compressed answers are asked for and unpacked before the sink sees them.
  Status Run(const HttpRequest& request, const Url& url, bool decode, HttpSink& sink,
             const CancelToken& cancel);
  // Of the last request: a connection to it may be kept.
  const std::string& last_origin() const { return last_origin_; }

 private:
  struct Exchange;
  Status Configure(const HttpRequest& request, const Url& url, bool decode, Exchange& exchange);
  void ConfigureTrust(Exchange& exchange);
  Status Drive(const HttpRequest& request, Exchange& exchange, const CancelToken& cancel);
  Status Explain(CURLcode code, const Url& url, const Exchange& exchange) const;
  static std::size_t TakeHeader(char* data, std::size_t size, std::size_t count, void* exchange);
  static std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* exchange);
  static CURLcode WatchCertificates(CURL* easy, void* context, void* exchange);

  const HttpClientOptions options_;
  std::shared_ptr<SharedState> shared_;
  CURLM* multi_ = nullptr;
  CURL* easy_ = nullptr;
  char error_text_[CURL_ERROR_SIZE] = {};
  std::string last_origin_;
};

}  // namespace gptoss::net
