// Speaks the Hub's HTTP API: commit, listing, file locations. Knows which host may see the token, follows
// redirects, waits as rate limits ask, retries what is transient.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/repository.h"
#include "net/http_client.h"

namespace gptoss::hub {

// Values only; who builds it reads settings and environment (HubOptionsFromEnvironment reads the variables
// and token files that other clients of the Hub honour: HF_ENDPOINT, HF_TOKEN, HUGGING_FACE_HUB_TOKEN,
// HF_TOKEN_PATH, HF_HOME, HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, HF_HUB_DISABLE_IMPLICIT_TOKEN,
// HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT, HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, XDG_CACHE_HOME,
// HF_HUB_DISABLE_SYMLINKS; and of our own GPTOSS_HUB_RETRY_LIMIT, GPTOSS_HUB_RETRY_BASE_MS,
// GPTOSS_HUB_PART_BYTES, GPTOSS_HUB_CONNECTIONS, GPTOSS_HUB_MIN_RATE, GPTOSS_HUB_DISK_MARGIN). What is
// malformed counts as unset.
struct HubOptions {
  std::string endpoint = "https://huggingface.co";
  std::string token;      // "": none. Never logged, never sent to another origin than the endpoint's
  std::string cache_dir;  // root of the shared cache (…/huggingface/hub)
  bool offline = false;   // no socket at all
  bool use_symlinks = true;
  std::string user_agent;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{30'000};  // no byte for so long: reconnect
  std::uint64_t min_rate_bytes = 1024;         // slower than this over a whole stall_timeout x 2: reconnect
  int retry_limit = 8;                         // consecutive attempts without any progress before giving up
  std::chrono::milliseconds retry_base{1000};  // first wait before a retry; doubles up to 30 times this
  std::chrono::seconds rate_limit_cap{
      600};  // a server that asks to wait longer: give up, saying when to return
  int max_connections = 8;
  std::chrono::milliseconds trial_time{1000};  // how long more or fewer connections are tried before judging
  std::uint64_t part_bytes = 4ULL << 20;  // a file is shared between connections in pieces of at least this
  std::uint64_t disk_margin_bytes = 1ULL << 30;
};
HubOptions HubOptionsFromEnvironment();

// Told whenever the client waits: for a rate limit, before a retry. For the progress line.
struct WaitNotice {
  std::string reason;  // "rate limit of huggingface.co", "connection reset by …"
  std::chrono::milliseconds wait{0};
  int attempt = 0;
};
using WaitObserver = std::function<void(const WaitNotice&)>;

// Where one file can be read now. Signed locations expire: ask again after a 403.
struct FileLocation {
  std::string url;
  bool may_send_token = false;  // url is on the endpoint's own origin
  std::uint64_t size = 0;
  ContentHash hash;
  std::string commit;
};

// Safe from any thread. Errors: kNotFound (repository, revision, file: says which), kPermissionDenied (gated:
// where to accept; private: how to give a token; policy of redirects), kUnavailable (after the retries: what
// to run to go on), kDataLoss (not a Hub: captive portal; hostile answer), kCancelled.
class HubClient {
 public:
  static Result<std::unique_ptr<HubClient>> Create(const HubOptions& options);
  virtual ~HubClient() = default;
  virtual const HubOptions& options() const = 0;
  virtual void ObserveWaits(WaitObserver observer) = 0;
  // Revision -> commit. One small request.
  virtual Result<std::string> ResolveCommit(const std::string& repository, const std::string& revision,
                                            const CancelToken& cancel) = 0;
  // Everything at that commit, all pages, not yet validated against a disk.
  virtual Result<Listing> List(const std::string& repository, const std::string& commit,
                               const CancelToken& cancel) = 0;
  virtual Result<FileLocation> Locate(const std::string& repository, const std::string& commit,
                                      const FileEntry& file, const CancelToken& cancel) = 0;
  virtual net::HttpClient& http() = 0;
};

}  // namespace gptoss::hub
