#include "net/http_session.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/text.h"

namespace gptoss::net {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPollMilliseconds = 40;  // how soon a cancel is seen
// Fewer, larger reads by SO_RCVLOWAT were tried and dropped: half the wake-ups, but 6 % slower on two cores,
// as the server waits meanwhile.
constexpr long kReceiveBuffer = 512 * 1024;

// A peer that closes while we write raises SIGPIPE inside the TLS library; that must not end the program.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before_);
  }
  ~SigpipeGuard() {
    if (sigismember(&before_, SIGPIPE) == 1) return;
    sigset_t pending;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    int taken = 0;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) sigwait(&pipe, &taken);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  sigset_t before_{};
};

const char* Environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// The proxy for a scheme, as curl and Python's clients read it. (curl itself ignores HTTP_PROXY in capitals,
// for the sake of CGI programs.) NO_PROXY is left to libcurl.
std::string ProxyFor(const Url& url) {
  std::array<const char*, 4> names = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
  if (!url.secure()) names = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
  for (const char* name : names) {
    if (const char* value = Environment(name)) return value;
  }
  return "";
}

// "host:port" of a proxy, without what may be a password.
std::string ProxyName(std::string proxy) {
  if (const auto scheme = proxy.find("://"); scheme != std::string::npos) proxy.erase(0, scheme + 3);
  if (const auto user = proxy.rfind('@'); user != std::string::npos) proxy.erase(0, user + 1);
  if (const auto path = proxy.find('/'); path != std::string::npos) proxy.resize(path);
  return proxy;
}

std::string NameText(X509_NAME* name) {
  if (name == nullptr) return "nobody";
  std::array<char, 256> text{};
  if (X509_NAME_get_text_by_NID(name, NID_organizationName, text.data(), text.size()) <= 0 &&
      X509_NAME_get_text_by_NID(name, NID_commonName, text.data(), text.size()) <= 0) {
    return "an issuer without a name";
  }
  std::string clean(text.data());
  std::ranges::replace_if(
      clean, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  return clean;
}

// Where the verify callback of this thread's handshake writes; it has no other way to get at us.
thread_local CertificateRefusal* current_refusal = nullptr;

int OnCertificate(int accepted, X509_STORE_CTX* context) {
  if (accepted == 1 || current_refusal == nullptr) return accepted;
  current_refusal->refused = true;
  current_refusal->reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  if (X509* certificate = X509_STORE_CTX_get_current_cert(context)) {
    current_refusal->issuer = NameText(X509_get_issuer_name(certificate));
    current_refusal->subject = NameText(X509_get_subject_name(certificate));
  }
  return accepted;  // never more lenient than the library
}

bool CurlUsesOpenSsl() {
  const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
  return info->ssl_version != nullptr && std::strncmp(info->ssl_version, "OpenSSL/3", 9) == 0;
}

// "HTTP/1.1 206 Partial Content" -> version and status.
HttpHead ParseStatusLine(std::string_view line) {
  HttpHead head;
  line.remove_prefix(std::min<std::size_t>(5, line.size()));
  const auto blank = line.find(' ');
  head.version = std::string(line.substr(0, blank));
  if (blank == std::string_view::npos) return head;
  for (const char c : line.substr(blank + 1, 3)) {
    if (c < '0' || c > '9') break;
    head.status = head.status * 10 + (c - '0');
  }
  return head;
}

}  // namespace

struct SharedState::Locks {
  std::array<std::mutex, CURL_LOCK_DATA_LAST> mutexes;
};

SharedState::SharedState() : locks_(std::make_unique<Locks>()), share_(curl_share_init()) {
  if (share_ == nullptr) return;
  curl_share_setopt(share_, CURLSHOPT_USERDATA, locks_.get());
  curl_share_setopt(
      share_, CURLSHOPT_LOCKFUNC, +[](CURL*, curl_lock_data data, curl_lock_access, void* locks) {
        static_cast<Locks*>(locks)->mutexes[data].lock();
      });
  curl_share_setopt(
      share_, CURLSHOPT_UNLOCKFUNC,
      +[](CURL*, curl_lock_data data, void* locks) { static_cast<Locks*>(locks)->mutexes[data].unlock(); });
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

SharedState::~SharedState() {
  if (share_ != nullptr) curl_share_cleanup(share_);
}

struct HttpSession::Exchange {
  HttpSink* sink = nullptr;
  HttpHead head;
  bool head_given = false;
  std::uint64_t header_bytes = 0, max_header_bytes = 0;
  Status status;  // why we ended the transfer
  Clock::time_point last_sign = Clock::now();
  curl_slist* headers = nullptr;
  std::string proxy, ca_file;
  CertificateRefusal refusal;

  ~Exchange() { curl_slist_free_all(headers); }
  // Time that the sink took is not the network's.
  bool Give(const Status& given) {
    last_sign = Clock::now();
    if (!given) status = given;
    return given.has_value();
  }
};

HttpSession::HttpSession(const HttpClientOptions& options, std::shared_ptr<SharedState> shared)
    : options_(options), shared_(std::move(shared)), multi_(curl_multi_init()), easy_(curl_easy_init()) {}

HttpSession::~HttpSession() {
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

std::size_t HttpSession::TakeHeader(char* data, std::size_t size, std::size_t count, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const std::size_t bytes = size * count;
  exchange.last_sign = Clock::now();
  exchange.header_bytes += bytes;
  if (exchange.header_bytes > exchange.max_header_bytes) {
    exchange.status =
        Fail(ErrorCode::kOutOfRange,
             fmt::format("the server sent more than {} bytes of headers", exchange.max_header_bytes));
    return 0;
  }
  if (exchange.head_given) return bytes;  // trailers
  const std::string_view line = Trimmed({data, bytes});
  if (line.starts_with("HTTP/")) {
    exchange.head = ParseStatusLine(line);
  } else if (line.empty()) {
    if (exchange.head.status >= 200) {
      exchange.head_given = true;
      if (!exchange.Give(exchange.sink->OnHead(exchange.head))) return 0;
    }
  } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    exchange.head.headers.emplace_back(Trimmed(line.substr(0, colon)), Trimmed(line.substr(colon + 1)));
  }
  return bytes;
}

std::size_t HttpSession::TakeBody(char* data, std::size_t size, std::size_t count, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const std::size_t bytes = size * count;
  const bool good = exchange.Give(exchange.sink->OnData({reinterpret_cast<const std::byte*>(data), bytes}));
  return good ? bytes : 0;
}

CURLcode HttpSession::WatchCertificates(CURL*, void* context, void*) {
  auto* ssl = static_cast<SSL_CTX*>(context);
  SSL_CTX_set_verify(ssl, SSL_CTX_get_verify_mode(ssl), &OnCertificate);
  return CURLE_OK;
}

void HttpSession::ConfigureTrust(Exchange& exchange) {
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  exchange.ca_file = options_.ca_file;
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {
    if (const char* file = Environment(name); file != nullptr && exchange.ca_file.empty()) {
      exchange.ca_file = file;
    }
  }
  if (!exchange.ca_file.empty()) curl_easy_setopt(easy_, CURLOPT_CAINFO, exchange.ca_file.c_str());
  if (const char* folder = Environment("SSL_CERT_DIR")) curl_easy_setopt(easy_, CURLOPT_CAPATH, folder);
  static const bool open_ssl = CurlUsesOpenSsl();
  if (open_ssl) curl_easy_setopt(easy_, CURLOPT_SSL_CTX_FUNCTION, &WatchCertificates);
}

Status HttpSession::Configure(const HttpRequest& request, const Url& url, bool decode, Exchange& exchange) {
  curl_easy_reset(easy_);
  error_text_[0] = '\0';
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(easy_, CURLOPT_SHARE, shared_->get());
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);  // a cancel does not wait for a slow name server
#endif
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);  // a signature covers the path as it was written
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy_, CURLOPT_HTTP09_ALLOWED, 0L);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, request.fresh_connection ? 1L : 0L);
  curl_easy_setopt(easy_, CURLOPT_USERAGENT,
                   options_.user_agent.empty() ? "gptoss" : options_.user_agent.c_str());
  exchange.proxy = ProxyFor(url);
  if (!exchange.proxy.empty()) curl_easy_setopt(easy_, CURLOPT_PROXY, exchange.proxy.c_str());
  ConfigureTrust(exchange);

  curl_easy_setopt(easy_, CURLOPT_URL, url.text.c_str());
  if (request.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  const auto add = [&exchange](const std::string& line) {
    if (curl_slist* longer = curl_slist_append(exchange.headers, line.c_str())) exchange.headers = longer;
  };
  add("Expect:");
  if (decode) curl_easy_setopt(easy_, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
  if (!decode) add("Accept-Encoding: identity");
  // "Name;" is libcurl's way to write a header without a value.
  for (const auto& [name, value] : request.headers) {
    add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  }
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, exchange.headers);

  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &TakeHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &TakeBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &exchange);
  return {};
}

Status HttpSession::Drive(const HttpRequest& request, Exchange& exchange, const CancelToken& cancel) {
  CURLcode outcome = CURLE_OK;
  exchange.last_sign = Clock::now();
  for (bool done = false; !done;) {
    int running = 0;
    if (const CURLMcode code = curl_multi_perform(multi_, &running); code != CURLM_OK) {
      return Fail(ErrorCode::kInternal, fmt::format("libcurl: {}", curl_multi_strerror(code)));
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      outcome = message->data.result;
      done = true;
    }
    if (done) break;
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
    if (request.idle_timeout.count() > 0 && Clock::now() - exchange.last_sign > request.idle_timeout) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("nothing came from the server for {} seconds",
                              static_cast<double>(request.idle_timeout.count()) / 1000));
    }
    curl_multi_poll(multi_, nullptr, 0, kPollMilliseconds, nullptr);
  }
  if (!exchange.status) return exchange.status;
  if (outcome == CURLE_OK && !exchange.head_given) outcome = CURLE_GOT_NOTHING;
  if (outcome == CURLE_OK) return {};
  GPTOSS_TRY(const Url url, ParseUrl(request.url));
  return Explain(outcome, url, exchange);
}

Status HttpSession::Explain(CURLcode code, const Url& url, const Exchange& exchange) const {
  std::string text = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  const std::string proxy = ProxyName(exchange.proxy);
  std::string via;
  if (!proxy.empty()) {
    // libcurl 7.88 does not say whether it went through the proxy (NO_PROXY); its words and ports do.
    const std::string proxy_host = proxy.substr(0, proxy.rfind(':'));
    long port = 0;
    curl_easy_getinfo(easy_, CURLINFO_PRIMARY_PORT, &port);
    if (code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY ||
        text.find(proxy_host) != std::string::npos || proxy.ends_with(fmt::format(":{}", port))) {
      via = fmt::format(" through the proxy {} (from the environment)", proxy);
    }
  }
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      if (exchange.refusal.refused) {
        return Fail(ErrorCode::kPermissionDenied,
                    fmt::format("the certificate that {}{} shows was not accepted: {} (issued by {}); if you "
                                "trust that issuer, name a file with its certificate in SSL_CERT_FILE",
                                url.host, via, exchange.refusal.reason, exchange.refusal.issuer));
      }
      return Fail(ErrorCode::kPermissionDenied,
                  fmt::format("the certificate that {}{} shows was not accepted: {}; a file with further "
                              "certificates can be named in SSL_CERT_FILE",
                              url.host, via, text));
    case CURLE_SSL_CACERT_BADFILE:
      return Fail(ErrorCode::kPermissionDenied,
                  fmt::format("the certificates in {} cannot be read; check SSL_CERT_FILE",
                              exchange.ca_file.empty() ? "the system's store" : exchange.ca_file));
    case CURLE_OPERATION_TIMEDOUT:
      return Fail(ErrorCode::kDeadlineExceeded, fmt::format("{}{} does not answer: {}", url.host, via, text));
    case CURLE_URL_MALFORMAT:
      return Fail(ErrorCode::kInvalidArgument, fmt::format("not an address that can be asked: {}", text));
    case CURLE_OUT_OF_MEMORY:
      return Fail(ErrorCode::kResourceExhausted, "out of memory while talking to " + url.host);
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9: no head at all
      return Fail(ErrorCode::kDataLoss, fmt::format("{}{} answered nonsense: {}", url.host, via, text));
    default:
      return Fail(ErrorCode::kUnavailable, fmt::format("no whole answer from {}{}: {}", url.host, via, text));
  }
}

Status HttpSession::Run(const HttpRequest& request, const Url& url, bool decode, HttpSink& sink,
                        const CancelToken& cancel) {
  if (easy_ == nullptr || multi_ == nullptr || shared_->get() == nullptr) {
    return Fail(ErrorCode::kResourceExhausted, "out of memory for a connection");
  }
  if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
  const SigpipeGuard guard;
  Exchange exchange;
  exchange.sink = &sink;
  exchange.max_header_bytes = request.max_header_bytes;
  GPTOSS_CHECK_OK(Configure(request, url, decode, exchange));
  last_origin_ = url.origin();
  if (const CURLMcode code = curl_multi_add_handle(multi_, easy_); code != CURLM_OK) {
    return Fail(ErrorCode::kInternal, fmt::format("libcurl: {}", curl_multi_strerror(code)));
  }
  current_refusal = &exchange.refusal;
  Status status = Drive(request, exchange, cancel);
  curl_multi_remove_handle(multi_, easy_);
  current_refusal = nullptr;
  // Our headers and buffers end here; the handle must not point at them.
  curl_easy_reset(easy_);
  return status;
}

}  // namespace gptoss::net
