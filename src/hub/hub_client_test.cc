#include "hub/hub_client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/file.h"
#include "net/testing/test_server.h"

namespace gptoss::hub {
namespace {

using net::testing::TestRequest;
using net::testing::TestResponse;
using net::testing::TestServer;

const std::string kCommit = "0123456789012345678901234567890123456789";
const std::string kGit(40, 'a');
const std::string kSha(64, 'b');

TestResponse AsJson(std::string body) {
  return {.headers = {{"Content-Type", "application/json; charset=utf-8"}}, .body = std::move(body)};
}
std::string Entry(const std::string& path) {
  return fmt::format(R"({{"type":"file","path":"{}","size":5,"oid":"{}"}})", path, kGit);
}

// A Hub and a stranger; answers are a test's to change.
class HubClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    hub_ = std::make_unique<TestServer>([this](const TestRequest& request) { return answer_(request); });
    stranger_ = std::make_unique<TestServer>([](const TestRequest&) { return AsJson("[]"); });
    options_.endpoint = hub_->url();
    options_.token = "hf_secret";
    options_.retry_limit = 2;
    options_.retry_base = std::chrono::milliseconds(2);
    Make();
  }
  void Make() { client_ = *HubClient::Create(options_); }
  void Always(TestResponse response) {
    answer_ = [response](const TestRequest&) { return response; };
  }
  Result<std::string> Resolve() { return client_->ResolveCommit("org/name", "main", {}); }
  Result<Listing> List() { return client_->List("org/name", kCommit, {}); }
  Result<FileLocation> Locate() {
    return client_->Locate("org/name", kCommit, {.path = "a b.bin", .size = 5, .hash = {kSha}}, {});
  }
  void ExpectStrangerSawNoToken() {
    for (const TestRequest& request : stranger_->requests()) {
      EXPECT_FALSE(request.headers.contains("authorization")) << request.target;
    }
  }

  std::function<TestResponse(const TestRequest&)> answer_;
  std::unique_ptr<TestServer> hub_, stranger_;
  HubOptions options_;
  std::unique_ptr<HubClient> client_;
};

TEST_F(HubClientTest, ResolvesARevision) {
  Always(AsJson(fmt::format(R"({{"sha":"{}"}})", kCommit)));
  const auto commit = client_->ResolveCommit("org/name", "refs/pr/1", {});
  ASSERT_TRUE(commit) << commit.error().message;
  EXPECT_EQ(*commit, kCommit);
  EXPECT_EQ(hub_->requests()[0].target, "/api/models/org/name/revision/refs%2Fpr%2F1");
  EXPECT_EQ(hub_->requests()[0].headers.at("authorization"), "Bearer hf_secret");
  const auto other = client_->ResolveCommit("org/name", std::string(40, '9'), {});
  EXPECT_EQ(other.error().code, ErrorCode::kDataLoss) << "another commit than the one asked for";
}

TEST_F(HubClientTest, ListsAllPagesAndTakesTheLicence) {
  answer_ = [this](const TestRequest& request) {
    if (request.target.find("/revision/") != std::string::npos) {
      return AsJson(fmt::format(R"({{"sha":"{}","cardData":{{"license":"apache-2.0"}}}})", kCommit));
    }
    if (request.target.find("cursor") != std::string::npos) return AsJson("[" + Entry("a") + "]");
    TestResponse page = AsJson("[" + Entry("b") + "]");
    page.headers.emplace_back("Link", fmt::format("<{}/api/next?cursor=1>; rel=\"next\"", hub_->url()));
    return page;
  };
  const auto listing = List();
  ASSERT_TRUE(listing) << listing.error().message;
  ASSERT_EQ(listing->files.size(), 2U);
  EXPECT_EQ(listing->files[0].path, "a");
  EXPECT_EQ(listing->license, "apache-2.0");
}

TEST_F(HubClientTest, AListingNeverLeadsToAnotherServer) {
  answer_ = [this](const TestRequest& request) {
    if (request.target.find("/revision/") != std::string::npos)
      return AsJson(fmt::format(R"({{"sha":"{}"}})", kCommit));
    TestResponse page = AsJson("[" + Entry("b") + "]");
    page.headers.emplace_back("Link", fmt::format("<{}/x>; rel=\"next\"", stranger_->url()));
    return page;
  };
  EXPECT_EQ(List().error().code, ErrorCode::kDataLoss);
  EXPECT_TRUE(stranger_->requests().empty());
}

TEST_F(HubClientTest, AListingEnds) {
  int page = 0;
  const auto turn_to = [this](const std::function<TestResponse()>& tree) {
    answer_ = [tree](const TestRequest& request) {
      return request.target.find("/revision/") != std::string::npos
                 ? AsJson(fmt::format(R"({{"sha":"{}"}})", kCommit))
                 : tree();
    };
  };
  turn_to([&] {
    TestResponse response = AsJson("[]");
    response.headers.emplace_back("Link", fmt::format("</api/x>; rel=\"next\""));
    return response;
  });
  EXPECT_NE(List().error().message.find("never ends"), std::string::npos);
  turn_to([&] {
    std::string body = "[" + Entry("f0");
    for (int i = 1; i < 40'000; ++i) body += "," + Entry(fmt::format("f{}", i));
    TestResponse response = AsJson(body + "]");
    response.headers.emplace_back("Link", fmt::format("</api/x?{}>; rel=\"next\"", ++page));
    return response;
  });
  EXPECT_EQ(List().error().code, ErrorCode::kDataLoss);
  EXPECT_LE(page, 8);
  turn_to([&] { return AsJson("[" + std::string(33 << 20, ' ') + "]"); });
  const auto large = List();
  EXPECT_EQ(large.error().code, ErrorCode::kDataLoss);
  EXPECT_NE(large.error().message.find("32 MiB"), std::string::npos) << large.error().message;
}

TEST_F(HubClientTest, KnowsWhatIsNoHub) {
  Always({.headers = {{"Content-Type", "text/html"}}, .body = "<html>sign in</html>"});
  for (const Error& error : {Resolve().error(), Locate().error()}) {
    EXPECT_EQ(error.code, ErrorCode::kDataLoss);
    EXPECT_NE(error.message.find("sign in"), std::string::npos) << error.message;
  }
  Always(AsJson("{\"sha\":\"main\"}"));
  EXPECT_EQ(Resolve().error().code, ErrorCode::kDataLoss);
  Always({.status = 204});
  EXPECT_EQ(Resolve().error().code, ErrorCode::kDataLoss);
}

TEST_F(HubClientTest, TellsRefusalsApartAndAsksOnce) {
  struct Case {
    int status;
    std::string code, part;
    ErrorCode expected;
  };
  for (const Case& c : {Case{401, "GatedRepo", "/org/name", ErrorCode::kPermissionDenied},
                        Case{403, "GatedRepo", "accept its licence", ErrorCode::kPermissionDenied},
                        Case{401, "", "does not accept the access token", ErrorCode::kPermissionDenied},
                        Case{404, "RevisionNotFound", "revision", ErrorCode::kNotFound},
                        Case{404, "RepoNotFound", "org/name", ErrorCode::kNotFound}}) {
    Always({.status = c.status, .headers = {{"X-Error-Code", c.code}, {"X-Error-Message", "no\tway"}}});
    const std::size_t before = hub_->requests().size();
    const auto refused = Resolve();
    EXPECT_EQ(refused.error().code, c.expected) << c.status << c.code;
    EXPECT_NE(refused.error().message.find(c.part), std::string::npos) << refused.error().message;
    EXPECT_EQ(refused.error().message.find("hf_secret"), std::string::npos);
    EXPECT_EQ(hub_->requests().size(), before + 1);
  }
  options_.token.clear();
  Make();
  Always({.status = 401});
  EXPECT_NE(Resolve().error().message.find("HF_TOKEN"), std::string::npos);
}

TEST_F(HubClientTest, TriesAgainWhatPasses) {
  int turn = 0;
  answer_ = [&](const TestRequest&) {
    ++turn;
    if (turn == 1) return TestResponse{.status = 503};
    if (turn == 2) return TestResponse{.status = 429, .headers = {{"Retry-After", "0"}}};
    return AsJson(fmt::format(R"({{"sha":"{}"}})", kCommit));
  };
  std::vector<std::string> waits;
  client_->ObserveWaits([&](const WaitNotice& notice) { waits.push_back(notice.reason); });
  ASSERT_TRUE(Resolve());
  ASSERT_EQ(waits.size(), 2U);
  EXPECT_EQ(waits[1], "rate limit of 127.0.0.1");
  Always({.status = 500});
  const std::size_t before = hub_->requests().size();
  EXPECT_EQ(Resolve().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(hub_->requests().size(), before + 3);
  Always({.status = 429, .headers = {{"Retry-After", "86400"}}});
  EXPECT_NE(Resolve().error().message.find("1440 minutes"), std::string::npos);
}

TEST_F(HubClientTest, LocatesContentElsewhereWithoutTheToken) {
  answer_ = [this](const TestRequest&) {
    return TestResponse{.status = 302,
                        .headers = {{"X-Repo-Commit", kCommit},
                                    {"X-Linked-Etag", "\"" + kSha + "\""},
                                    {"X-Linked-Size", "5"},
                                    {"Location", stranger_->url("/blob?signed=1")}}};
  };
  const auto location = Locate();
  ASSERT_TRUE(location) << location.error().message;
  EXPECT_EQ(location->url, stranger_->url("/blob?signed=1"));
  EXPECT_FALSE(location->may_send_token);
  EXPECT_EQ(hub_->requests()[0].method, "HEAD");
  EXPECT_EQ(hub_->requests()[0].target, "/org/name/resolve/" + kCommit + "/a%20b.bin");
  EXPECT_TRUE(stranger_->requests().empty());
}

TEST_F(HubClientTest, FollowsTheHubsOwnRedirectToASmallFile) {
  answer_ = [](const TestRequest& request) {
    if (request.target.starts_with("/api/resolve-cache/")) {
      TestResponse response{.headers = {{"X-Repo-Commit", kCommit}, {"ETag", "W/\"" + kSha + "\""}},
                            .body = "12345"};
      return response;
    }
    return TestResponse{.status = 307,
                        .headers = {{"X-Repo-Commit", kCommit}, {"Location", "/api/resolve-cache/x"}}};
  };
  const auto location = Locate();
  ASSERT_TRUE(location) << location.error().message;
  EXPECT_EQ(location->url, hub_->url("/api/resolve-cache/x"));
  EXPECT_TRUE(location->may_send_token);
}

TEST_F(HubClientTest, RefusesWhatContradictsTheListing) {
  const auto say = [this](const std::string& commit, const std::string& etag, const std::string& size) {
    Always({.status = 302,
            .headers = {{"X-Repo-Commit", commit},
                        {"X-Linked-Etag", etag},
                        {"X-Linked-Size", size},
                        {"Location", "/x"}}});
    const auto location = Locate();
    return location ? std::string("accepted") : std::string(ErrorCodeName(location.error().code));
  };
  EXPECT_EQ(say(kCommit, kSha, "5"), "accepted");
  EXPECT_EQ(say(kCommit, kSha, "6"), "data_loss");
  EXPECT_EQ(say(kCommit, std::string(64, 'c'), "5"), "data_loss");
  EXPECT_EQ(say(kCommit, "../../../x", "5"), "data_loss");
  EXPECT_EQ(say(kCommit, kSha, "-5"), "data_loss");
  EXPECT_EQ(say(std::string(40, '9'), kSha, "5"), "data_loss");
}

TEST_F(HubClientTest, RedirectsEndAndLoseTheTokenElsewhere) {
  answer_ = [](const TestRequest&) {
    return TestResponse{.status = 302, .headers = {{"Location", "/again"}}};
  };
  EXPECT_EQ(Resolve().error().code, ErrorCode::kDataLoss);
  EXPECT_LE(hub_->requests().size(), 11U);
  answer_ = [this](const TestRequest&) {
    return TestResponse{.status = 307, .headers = {{"Location", stranger_->url("/api")}}};
  };
  (void)Resolve();
  EXPECT_FALSE(stranger_->requests().empty());
  ExpectStrangerSawNoToken();
  Always({.status = 302, .headers = {{"Location", "file:///etc/passwd"}}});
  EXPECT_EQ(Resolve().error().code, ErrorCode::kDataLoss);
}

TEST_F(HubClientTest, OfflineOpensNoSocket) {
  options_.offline = true;
  Make();
  EXPECT_EQ(Resolve().error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(List().error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Locate().error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(hub_->connections(), 0);
}

TEST_F(HubClientTest, RefusesABadEndpointOrToken) {
  options_.endpoint = "ftp://hub";
  EXPECT_EQ(HubClient::Create(options_).error().code, ErrorCode::kInvalidArgument);
  options_.endpoint = hub_->url();
  options_.token = "hf_sec\nret";
  const auto refused = HubClient::Create(options_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("ret\n"), std::string::npos);
}

class EnvironmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name :
         {"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "HF_HUB_CACHE",
          "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
          "HF_HUB_DISABLE_SYMLINKS", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_DOWNLOAD_TIMEOUT",
          "GPTOSS_HUB_RETRY_LIMIT"}) {
      ::unsetenv(name);
    }
    home_ = std::filesystem::temp_directory_path() / fmt::format("gptoss_environment_{}", ::getpid());
    std::filesystem::create_directories(home_);
    ::setenv("HOME", home_.c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(home_); }
  std::filesystem::path home_;
};

TEST_F(EnvironmentTest, ReadsWhatOtherClientsRead) {
  HubOptions options = HubOptionsFromEnvironment();
  EXPECT_EQ(options.endpoint, "https://huggingface.co");
  EXPECT_EQ(options.cache_dir, home_.string() + "/.cache/huggingface/hub");
  EXPECT_EQ(options.token, "");
  EXPECT_FALSE(options.offline);

  ::setenv("XDG_CACHE_HOME", "~/xdg", 1);
  EXPECT_EQ(HubOptionsFromEnvironment().cache_dir, home_.string() + "/xdg/huggingface/hub");
  ::setenv("HF_HOME", "$HOME/hf", 1);
  std::filesystem::create_directories(home_ / "hf");
  ASSERT_TRUE(WriteFileAtomic(home_ / "hf/token", " hf_file\r\n"));
  options = HubOptionsFromEnvironment();
  EXPECT_EQ(options.cache_dir, home_.string() + "/hf/hub");
  EXPECT_EQ(options.token, "hf_file");
  ::setenv("HUGGINGFACE_HUB_CACHE", "/b", 1);
  EXPECT_EQ(HubOptionsFromEnvironment().cache_dir, "/b");
  ::setenv("HF_HUB_CACHE", "${HOME}/c$NONE", 1);
  EXPECT_EQ(HubOptionsFromEnvironment().cache_dir, home_.string() + "/c$NONE");

  ::setenv("HF_TOKEN", " hf_env\n", 1);
  EXPECT_EQ(HubOptionsFromEnvironment().token, "hf_env");
  ::setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "Yes", 1);
  EXPECT_EQ(HubOptionsFromEnvironment().token, "");
  ::setenv("HF_ENDPOINT", "http://127.0.0.1:5/", 1);
  ::setenv("TRANSFORMERS_OFFLINE", "on", 1);
  ::setenv("HF_HUB_DISABLE_SYMLINKS", "TRUE", 1);
  ::setenv("HF_HUB_DOWNLOAD_TIMEOUT", "0.5", 1);
  ::setenv("GPTOSS_HUB_RETRY_LIMIT", "no number", 1);
  options = HubOptionsFromEnvironment();
  EXPECT_EQ(options.endpoint, "http://127.0.0.1:5");
  EXPECT_TRUE(options.offline);
  EXPECT_FALSE(options.use_symlinks);
  EXPECT_EQ(options.stall_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(options.retry_limit, HubOptions().retry_limit);
}

}  // namespace
}  // namespace gptoss::hub
