#include "hub/hub_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "hub/http_text.h"
#include "hub/hub_json.h"
#include "hub/request_policy.h"

namespace gptoss::hub {
namespace {

constexpr std::uint64_t kMostJsonBytes = 32ULL << 20;  // decoded, all pages together
constexpr std::size_t kMostPages = 2000;
constexpr std::size_t kMostFiles = 100'000;  // ValidateListing's bound, seen before the memory is spent

class RealHubClient : public HubClient {
 public:
  RealHubClient(const HubOptions& options, RequestPolicy policy, std::unique_ptr<net::HttpClient> http)
      : options_(options), policy_(std::move(policy)), http_(std::move(http)) {}

  const HubOptions& options() const override { return options_; }
  net::HttpClient& http() override { return *http_; }
  void ObserveWaits(WaitObserver observer) override {
    const std::lock_guard lock(mutex_);
    observer_ = std::move(observer);
  }

  Result<std::string> ResolveCommit(const std::string& repository, const std::string& revision,
                                    const CancelToken& cancel) override {
    GPTOSS_TRY(const RevisionInfo info, Info(repository, revision, cancel));
    return info.commit;
  }
  Result<Listing> List(const std::string& repository, const std::string& commit,
                       const CancelToken& cancel) override;
  Result<FileLocation> Locate(const std::string& repository, const std::string& commit, const FileEntry& file,
                              const CancelToken& cancel) override;

 private:
  struct Answer {
    net::HttpResponse response;
    net::Url url;  // that gave it
  };
  Status CheckOnline() const;
  Result<net::Url> Address(const std::string& path) const {
    return net::ParseUrl(policy_.endpoint().origin() + BasePath() + path);
  }
  // An endpoint may have a path of its own (a mirror below a folder).
  std::string BasePath() const {
    std::string path = policy_.endpoint().target;
    while (path.ends_with('/')) path.pop_back();
    return path;
  }
  // One answer that is neither transient nor (unless `keep_redirects`) a redirect, after retries.
  Result<Answer> Ask(std::string_view method, const net::Url& url, std::uint64_t max_body,
                     const CancelToken& cancel);
  Result<Answer> AskOnce(std::string_view method, net::Url url, std::uint64_t max_body,
                         const CancelToken& cancel);
  Result<std::string> AskJson(const net::Url& url, const std::string& repository, const std::string& what,
                              std::uint64_t max_body, std::string* next, const CancelToken& cancel);
  Result<RevisionInfo> Info(const std::string& repository, const std::string& revision,
                            const CancelToken& cancel);
  Status Pages(net::Url url, Listing& listing, const CancelToken& cancel);
  Error NotAHub(const net::Url& url, const net::HttpHead& head, const std::string& why) const;
  Status Wait(const std::string& reason, std::chrono::milliseconds time, int attempt,
              const CancelToken& cancel);

  const HubOptions options_;
  const RequestPolicy policy_;
  const std::unique_ptr<net::HttpClient> http_;
  std::mutex mutex_;
  WaitObserver observer_;
  std::map<std::string, RevisionInfo> known_;  // by repository + '@' + commit
};

Status RealHubClient::CheckOnline() const {
  if (!options_.offline) return {};
  return Fail(
      ErrorCode::kFailedPrecondition,
      "the network is switched off for models (HF_HUB_OFFLINE or hub.offline); switch it on to ask the "
      "Hub");
}

Error RealHubClient::NotAHub(const net::Url& url, const net::HttpHead& head, const std::string& why) const {
  const std::string type(net::FindHeader(head.headers, "content-type").value_or(""));
  const bool page = type.starts_with("text/html");
  return {ErrorCode::kDataLoss,
          fmt::format("{} does not answer as a Hub: {}{}", url.host, why,
                      page ? "; it sent a web page, so this network may want you to sign in first" : "")};
}

Status RealHubClient::Wait(const std::string& reason, std::chrono::milliseconds time, int attempt,
                           const CancelToken& cancel) {
  WaitObserver observer;
  {
    const std::lock_guard lock(mutex_);
    observer = observer_;
  }
  if (observer) observer({.reason = reason, .wait = time, .attempt = attempt});
  return SleepFor(time, cancel);
}

// Follows redirects. A HEAD stops where the answer already describes the file: on the Hub's own redirect to
// the place that has the content, or at the first step that leaves this origin.
Result<RealHubClient::Answer> RealHubClient::AskOnce(std::string_view method, net::Url url,
                                                     std::uint64_t max_body, const CancelToken& cancel) {
  for (int hop = 0; hop <= kMostRedirects; ++hop) {
    net::HttpRequest request = policy_.Request(method, url);
    if (method == "HEAD") request.headers.emplace_back("Accept-Encoding", "identity");
    GPTOSS_TRY(net::HttpResponse response, http_->Fetch(request, max_body, cancel));
    if (!IsRedirect(response.head.status)) return Answer{std::move(response), std::move(url)};
    GPTOSS_TRY(net::Url next, policy_.Redirect(url, response.head));
    const bool described = net::FindHeader(response.head.headers, "x-linked-etag").has_value();
    if (method == "HEAD" && (described || next.origin() != url.origin())) {
      return Answer{std::move(response), std::move(url)};
    }
    url = std::move(next);
  }
  return Fail(ErrorCode::kDataLoss,
              fmt::format("{} redirects more than {} times; that is a loop", url.host, kMostRedirects));
}

Result<RealHubClient::Answer> RealHubClient::Ask(std::string_view method, const net::Url& url,
                                                 std::uint64_t max_body, const CancelToken& cancel) {
  GPTOSS_CHECK_OK(CheckOnline());
  for (int attempt = 1;; ++attempt) {
    auto answer = AskOnce(method, url, max_body, cancel);
    if (answer && !IsTransient(answer->response.head.status)) return answer;
    if (!answer && !IsTransient(answer.error())) return answer;
    std::string reason = answer
                             ? fmt::format("{} answered {}", answer->url.host, answer->response.head.status)
                             : answer.error().message;
    std::chrono::milliseconds wait = BackoffWait(attempt, options_.retry_base);
    if (answer) {
      const int status = answer->response.head.status;
      if (status == 429) reason = "rate limit of " + answer->url.host;
      if (const auto asked = RequestedWait(answer->response.head.headers)) {
        if (*asked > options_.rate_limit_cap) {
          return Fail(ErrorCode::kUnavailable,
                      fmt::format("{}: it asks to wait {}; run the same command again after that", reason,
                                  DurationText(*asked)));
        }
        wait = *asked;
      }
    }
    if (attempt > options_.retry_limit) {
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("{}; gave up after {} attempts; run the same command again to go on", reason, attempt));
    }
    GPTOSS_CHECK_OK(Wait(reason, wait, attempt, cancel));
  }
}

// A 200 with JSON; `next`: the Link to the next page, "" for the last.
Result<std::string> RealHubClient::AskJson(const net::Url& url, const std::string& repository,
                                           const std::string& what, std::uint64_t max_body, std::string* next,
                                           const CancelToken& cancel) {
  auto answer = Ask("GET", url, max_body, cancel);
  if (!answer && answer.error().code == ErrorCode::kOutOfRange) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{} sent more than {} MiB for {}; no repository for models is that large",
                            url.host, kMostJsonBytes >> 20, what));
  }
  if (!answer) return std::unexpected(std::move(answer).error());
  const net::HttpHead& head = answer->response.head;
  if (head.status != 200) {
    if (head.status < 400) {
      return std::unexpected(NotAHub(answer->url, head, fmt::format("it answered {}", head.status)));
    }
    return std::unexpected(RefusalError(policy_, answer->url, head, repository, what));
  }
  const auto type = net::FindHeader(head.headers, "content-type").value_or("");
  if (!type.starts_with("application/json")) {
    return std::unexpected(NotAHub(answer->url, head, "its answer is not JSON"));
  }
  if (next != nullptr) {
    next->clear();
    if (const auto link = net::FindHeader(head.headers, "link")) *next = ParseNextLink(*link).value_or("");
  }
  return std::move(answer->response.body);
}

Result<RevisionInfo> RealHubClient::Info(const std::string& repository, const std::string& revision,
                                         const CancelToken& cancel) {
  GPTOSS_TRY(const net::Url url,
             Address(fmt::format("/api/models/{}/revision/{}", net::PercentEncode(repository, "/"),
                                 net::PercentEncode(revision))));
  const std::string what = fmt::format("{}@{}", repository, revision);
  GPTOSS_TRY(const std::string json, AskJson(url, repository, what, kMostJsonBytes, nullptr, cancel));
  auto info = ParseRevisionInfo(json);
  if (!info) return std::unexpected(std::move(info).error().Within(url.host));
  if (IsCommit(revision) && info->commit != revision) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{} answered with commit {} when asked for {}", url.host,
                                                  info->commit, revision));
  }
  if (info->disabled) {
    return Fail(ErrorCode::kPermissionDenied, fmt::format("{} was disabled by {}", repository, url.host));
  }
  const std::lock_guard lock(mutex_);
  known_[repository + '@' + info->commit] = *info;
  return info;
}

// All pages of a listing, the first at `url`.
Status RealHubClient::Pages(net::Url url, Listing& listing, const CancelToken& cancel) {
  std::set<std::string> seen;
  std::uint64_t bytes = 0;
  for (std::string next;;) {
    if (!seen.insert(url.text).second || seen.size() > kMostPages) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("the listing of {} at {} never ends", listing.repository, url.host));
    }
    GPTOSS_TRY(const std::string json,
               AskJson(url, listing.repository, "the listing of " + listing.repository,
                       kMostJsonBytes - bytes, &next, cancel));
    bytes += json.size();
    if (auto status = ParseTreePage(json, listing.files); !status) {
      return std::unexpected(std::move(status).error().Within(url.host));
    }
    if (listing.files.size() > kMostFiles) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{} has more than {} files; that is no model", listing.repository, kMostFiles));
    }
    if (next.empty()) return {};
    GPTOSS_TRY(net::Url following, net::ResolveUrl(url, next));
    if (following.origin() != policy_.endpoint().origin()) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{} says that its listing goes on at {}; another server is not asked for it",
                              url.host, following.host));
    }
    url = std::move(following);
  }
}

Result<Listing> RealHubClient::List(const std::string& repository, const std::string& commit,
                                    const CancelToken& cancel) {
  if (!IsCommit(commit)) return Fail(ErrorCode::kInvalidArgument, "a commit has 40 hex digits");
  RevisionInfo info;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(repository + '@' + commit); found != known_.end())
      info = found->second;
  }
  if (info.commit.empty()) {
    GPTOSS_TRY(info, Info(repository, commit, cancel));
  }
  Listing listing{.repository = repository,
                  .commit = commit,
                  .license = info.license,
                  .license_name = info.license_name,
                  .license_link = info.license_link,
                  .gated = info.gated,
                  .is_private = info.is_private};
  GPTOSS_TRY(net::Url url, Address(fmt::format("/api/models/{}/tree/{}?recursive=true&expand=false",
                                               net::PercentEncode(repository, "/"), commit)));
  GPTOSS_CHECK_OK(Pages(std::move(url), listing, cancel));
  std::ranges::sort(listing.files, {}, &FileEntry::path);
  return listing;
}

Result<FileLocation> RealHubClient::Locate(const std::string& repository, const std::string& commit,
                                           const FileEntry& file, const CancelToken& cancel) {
  GPTOSS_TRY(const net::Url url, Address(fmt::format("/{}/resolve/{}/{}", net::PercentEncode(repository, "/"),
                                                     commit, net::PercentEncode(file.path, "/"))));
  const std::string what = fmt::format("{} of {}", file.path, repository);
  GPTOSS_TRY(const Answer answer, Ask("HEAD", url, 0, cancel));
  const net::HttpHead& head = answer.response.head;
  if (head.status >= 400) return std::unexpected(RefusalError(policy_, answer.url, head, repository, what));
  const auto said = net::FindHeader(head.headers, "x-repo-commit");
  if (!said) return std::unexpected(NotAHub(answer.url, head, "no X-Repo-Commit for " + file.path));
  if (*said != commit) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{} answered for {} with commit {} instead of {}",
                                                  answer.url.host, file.path, ForMessage(*said), commit));
  }
  FileLocation location{.url = answer.url.text, .commit = commit};
  const auto linked = net::FindHeader(head.headers, "x-linked-etag");
  const auto tag = linked ? linked : net::FindHeader(head.headers, "etag");
  auto hash = ParseContentHash(NormaliseEtag(tag.value_or("")));
  if (!hash) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{} gives no hash of 40 or 64 hex digits for {}", answer.url.host, file.path));
  }
  location.hash = std::move(*hash);
  const bool elsewhere = IsRedirect(head.status);
  auto length = net::FindHeader(head.headers, "x-linked-size");
  if (!length && !elsewhere) length = net::FindHeader(head.headers, "content-length");
  const auto size = ParseDecimal(length.value_or(""));
  if (!size) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{} gives no size for {}", answer.url.host, file.path));
  }
  location.size = *size;
  if (location.size != file.size || location.hash != file.hash) {
    return Fail(
        ErrorCode::kDataLoss,
        fmt::format("{} contradicts its own listing about {}: {} bytes and hash {} there, {} bytes and "
                    "hash {} here",
                    answer.url.host, file.path, file.size, file.hash.hex, location.size, location.hash.hex));
  }
  if (elsewhere) {
    GPTOSS_TRY(const net::Url content, policy_.Redirect(answer.url, head));
    location.url = content.text;
  }
  GPTOSS_TRY(const net::Url final_url, net::ParseUrl(location.url));
  location.may_send_token = policy_.MaySendToken(final_url);
  return location;
}

}  // namespace

Result<std::unique_ptr<HubClient>> HubClient::Create(const HubOptions& options) {
  GPTOSS_TRY(RequestPolicy policy, RequestPolicy::Create(options));
  net::HttpClientOptions http;
  http.user_agent = options.user_agent.empty() ? "gptoss" : options.user_agent;
  GPTOSS_TRY(auto client, net::HttpClient::Create(http));
  return std::make_unique<RealHubClient>(options, std::move(policy), std::move(client));
}

}  // namespace gptoss::hub
