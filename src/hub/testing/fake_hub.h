// A Hub in memory for tests: repositories by commit, and a client that answers for them. Content comes over
// real HTTP from a server of its own.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hub/hub_client.h"
#include "hub/testing/content.h"
#include "net/testing/test_server.h"

namespace gptoss::hub::testing {

using net::testing::ServeContent;
using net::testing::TestRequest;
using net::testing::TestResponse;
using net::testing::TestServer;

inline const std::string kA(40, 'a'), kB(40, 'b');

// Repositories in memory; counts the requests for content.
class FakeHub {
 public:
  FakeHub() : server_([this](const TestRequest& request) { return Answer(request); }) {}
  void Put(const std::string& commit, const std::string& path, const std::string& content) {
    commits_[commit][path] = content;
  }
  Listing ListingOf(const std::string& commit) const {
    Listing listing{.repository = "org/model", .commit = commit, .license = "apache-2.0"};
    for (const auto& [path, content] : commits_.at(commit)) {
      const bool lfs = path.ends_with(".safetensors");
      listing.files.push_back({.path = path,
                               .size = content.size(),
                               .hash = HashOf(content, lfs),
                               .git_oid = lfs ? std::string(40, 'e') : HashOf(content, false).hex});
    }
    if (change_listing) change_listing(listing);
    return listing;
  }
  std::string UrlOf(const std::string& commit, const std::string& path) const {
    return server_.url("/" + commit + "/" + path);
  }
  std::vector<std::string> fetched() const {
    std::vector<std::string> paths;
    for (const TestRequest& request : server_.requests()) paths.push_back(request.target.substr(42));
    std::ranges::sort(paths);
    return paths;
  }

  std::string main = kA;
  bool down = false;
  std::function<void(Listing&)> change_listing;
  std::function<void(const std::string& path, std::string& content)> change_content;

 private:
  TestResponse Answer(const TestRequest& request) {
    const std::string path = request.target.substr(42);
    std::string content = commits_.at(request.target.substr(1, 40)).at(path);
    if (change_content) change_content(path, content);
    return ServeContent(request, content);
  }
  std::map<std::string, std::map<std::string, std::string>> commits_;
  TestServer server_;
};

class FakeClient : public HubClient {
 public:
  FakeClient(FakeHub& hub, HubOptions options) : hub_(hub), options_(std::move(options)) {
    http_ = net::HttpClient::Create({}).value();
  }
  const HubOptions& options() const override { return options_; }
  void ObserveWaits(WaitObserver) override {}
  net::HttpClient& http() override { return *http_; }
  Result<std::string> ResolveCommit(const std::string&, const std::string& revision,
                                    const CancelToken&) override {
    if (hub_.down) return Fail(ErrorCode::kUnavailable, "no way to the Hub");
    return revision == "main" ? hub_.main : revision;
  }
  Result<Listing> List(const std::string&, const std::string& commit, const CancelToken&) override {
    return hub_.ListingOf(commit);
  }
  Result<FileLocation> Locate(const std::string&, const std::string& commit, const FileEntry& file,
                              const CancelToken&) override {
    return FileLocation{
        .url = hub_.UrlOf(commit, file.path), .size = file.size, .hash = file.hash, .commit = commit};
  }

 private:
  FakeHub& hub_;
  HubOptions options_;
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace gptoss::hub::testing
