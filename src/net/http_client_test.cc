#include "net/http_client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <thread>

#include "net/testing/test_server.h"

namespace gptoss::net {
namespace {

using testing::TestRequest;
using testing::TestResponse;
using testing::TestServer;

class HttpClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",
                             "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
      ::unsetenv(name);
    }
    client_ = *HttpClient::Create({.user_agent = "gptoss-test/1"});
  }
  static HttpRequest Get(const std::string& url) {
    HttpRequest request;
    request.url = url;
    return request;
  }
  std::unique_ptr<HttpClient> client_;
};

// Counts what comes; fails when told.
struct CountingSink : HttpSink {
  Status OnHead(const HttpHead& given) override {
    head = given;
    return head_answer;
  }
  Status OnData(std::span<const std::byte> data) override {
    bytes += data.size();
    if (bytes > limit) return Fail(ErrorCode::kResourceExhausted, "enough");
    return {};
  }
  HttpHead head;
  Status head_answer;
  std::uint64_t bytes = 0, limit = UINT64_MAX;
};

TEST_F(HttpClientTest, FetchesAndKeepsTheConnection) {
  TestServer server([](const TestRequest& request) {
    return TestResponse{.headers = {{"X-Name", "first"}, {"x-name", "last"}},
                        .body = "hello " + request.target};
  });
  for (int i = 0; i < 3; ++i) {
    const auto response = client_->Fetch(Get(server.url("/a")), 100, {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->head.status, 200);
    EXPECT_EQ(response->head.version, "1.1");
    EXPECT_EQ(response->body, "hello /a");
    EXPECT_EQ(FindHeader(response->head.headers, "X-NAME"), "last");
    EXPECT_EQ(FindHeader(response->head.headers, "x-none"), std::nullopt);
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.requests()[0].headers.at("user-agent"), "gptoss-test/1");
  HttpRequest fresh = Get(server.url("/b"));
  fresh.fresh_connection = true;
  ASSERT_TRUE(client_->Fetch(fresh, 100, {}));
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(HttpClientTest, SendsMethodHeadersAndBody) {
  TestServer server([](const TestRequest& request) { return TestResponse{.body = request.body}; });
  HttpRequest request = Get(server.url("/p"));
  request.method = "POST";
  request.body = std::string("a\0b", 3);
  request.headers = {{"X-One", "1"}, {"X-Empty", ""}};
  const auto response = client_->Fetch(request, 100, {});
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, request.body);
  const auto seen = server.requests()[0];
  EXPECT_EQ(seen.headers.at("x-one"), "1");
  EXPECT_EQ(seen.headers.at("x-empty"), "");
  EXPECT_FALSE(seen.headers.contains("expect"));
}

TEST_F(HttpClientTest, RefusesLineBreaksAndOtherSchemesWithoutShowingValues) {
  HttpRequest request = Get("http://127.0.0.1:1/");
  request.headers = {{"Authorization", "Bearer secret\r\nX: y"}};
  auto response = client_->Fetch(request, 100, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(response.error().message.find("secret"), std::string::npos);
  request.headers = {{"Bad Name", "x"}};
  EXPECT_EQ(client_->Fetch(request, 100, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(client_->Fetch(Get("file:///etc/passwd"), 100, {}).error().code, ErrorCode::kInvalidArgument);
  const auto strict = *HttpClient::Create({.refuse_plain = true});
  EXPECT_EQ(strict->Fetch(Get("http://127.0.0.1:1/"), 1, {}).error().code, ErrorCode::kPermissionDenied);
}

TEST_F(HttpClientTest, FollowsNoRedirect) {
  TestServer server([](const TestRequest&) {
    return TestResponse{.status = 302, .headers = {{"Location", "/elsewhere"}}};
  });
  const auto response = client_->Fetch(Get(server.url("/")), 100, {});
  ASSERT_TRUE(response);
  EXPECT_EQ(response->head.status, 302);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(HttpClientTest, StopsLargeAndInflatingBodies) {
  // gzip of 1 MiB of zeros, made by: head -c 1048576 /dev/zero | gzip -9n
  const std::string bomb = [] {
    std::string bytes(
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xf5\x4f"
        "\x6d\x0d\x0f\xa0",
        26);
    bytes.append(991, '\0');
    return bytes + std::string("\x80\x77\x03\x2e\xe0\xb6\xc8\x00\x00\x10\x00", 11);
  }();
  TestServer server([&](const TestRequest& request) {
    if (request.target == "/bomb")
      return TestResponse{.headers = {{"Content-Encoding", "gzip"}}, .body = bomb};
    return TestResponse{.body = std::string(5000, 'x')};
  });
  EXPECT_EQ(client_->Fetch(Get(server.url("/big")), 4999, {}).error().code, ErrorCode::kOutOfRange);
  EXPECT_TRUE(client_->Fetch(Get(server.url("/big")), 5000, {}));
  EXPECT_EQ(client_->Fetch(Get(server.url("/bomb")), 100'000, {}).error().code, ErrorCode::kOutOfRange);
  CountingSink sink;
  ASSERT_TRUE(client_->Stream(Get(server.url("/bomb")), sink, {}));
  EXPECT_EQ(sink.bytes, bomb.size());  // as it came
  EXPECT_EQ(server.requests().back().headers.at("accept-encoding"), "identity");
}

TEST_F(HttpClientTest, StopsAnEndlessHead) {
  TestServer server([](const TestRequest&) {
    TestResponse response;
    response.raw = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 5000; ++i) response.raw += "X-Filler: " + std::string(50, 'y') + "\r\n";
    return response;
  });
  HttpRequest request = Get(server.url("/"));
  request.max_header_bytes = 10'000;
  EXPECT_EQ(client_->Fetch(request, 100, {}).error().code, ErrorCode::kOutOfRange);
}

TEST_F(HttpClientTest, NamesWhatWentWrong) {
  TestServer server([](const TestRequest& request) {
    TestResponse response{.body = std::string(1000, 'x')};
    if (request.target == "/cut") response.stop_after = 10;
    if (request.target == "/reset") response.stop_after = 10, response.reset = true;
    if (request.target == "/nothing") response.raw = "\r\n";
    if (request.target == "/garbage") response.raw = "SSH-2.0-OpenSSH\r\n\r\nhello";
    if (request.target == "/hold") response.stop_after = 10, response.hold_ms = 5000;
    return response;
  });
  for (const auto* target : {"/cut", "/reset"}) {
    EXPECT_EQ(client_->Fetch(Get(server.url(target)), 5000, {}).error().code, ErrorCode::kUnavailable)
        << target;
  }
  EXPECT_FALSE(client_->Fetch(Get(server.url("/nothing")), 5000, {}));
  EXPECT_FALSE(client_->Fetch(Get(server.url("/garbage")), 5000, {}));
  HttpRequest slow = Get(server.url("/hold"));
  slow.idle_timeout = std::chrono::milliseconds(150);
  EXPECT_EQ(client_->Fetch(slow, 5000, {}).error().code, ErrorCode::kDeadlineExceeded);
  const auto refused = client_->Fetch(Get("http://127.0.0.1:1/"), 10, {});
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("127.0.0.1"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("proxy"), std::string::npos);
}

TEST_F(HttpClientTest, UsesAndNamesTheProxyButNotItsPassword) {
  TestServer server([](const TestRequest& request) { return TestResponse{.body = "via " + request.target}; });
  ::setenv("HTTP_PROXY", ("http://me:secret@127.0.0.1:" + std::to_string(server.port())).c_str(), 1);
  const auto response = client_->Fetch(Get("http://hub.invalid/x"), 100, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "via http://hub.invalid/x");
  ::setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:1", 1);
  const auto refused = client_->Fetch(Get("http://hub.invalid/x"), 100, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("proxy 127.0.0.1:1"), std::string::npos) << refused.error().message;
  EXPECT_EQ(refused.error().message.find("secret"), std::string::npos);
  ::setenv("NO_PROXY", "127.0.0.1", 1);
  EXPECT_TRUE(client_->Fetch(Get(server.url("/direct")), 100, {}));
}

TEST_F(HttpClientTest, TheSinkEndsATransfer) {
  TestServer server([](const TestRequest&) { return TestResponse{.body = std::string(1 << 20, 'x')}; });
  CountingSink sink;
  sink.limit = 100;
  EXPECT_EQ(client_->Stream(Get(server.url("/")), sink, {}).error().code, ErrorCode::kResourceExhausted);
  CountingSink refusing;
  refusing.head_answer = Fail(ErrorCode::kDataLoss, "not this");
  EXPECT_EQ(client_->Stream(Get(server.url("/")), refusing, {}).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(refusing.bytes, 0U);
}

TEST_F(HttpClientTest, CancelEndsASilentTransfer) {
  TestServer server([](const TestRequest&) {
    return TestResponse{.body = "0123456789", .stop_after = 5, .hold_ms = 60'000};
  });
  CancelSource source;
  CountingSink sink;
  Status status;
  std::thread transfer([&] { status = client_->Stream(Get(server.url("/")), sink, source.token()); });
  while (server.body_bytes_sent() < 5) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  source.Cancel();
  transfer.join();  // would take a minute
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
}

TEST_F(HttpClientTest, ManyThreadsShareOneClient) {
  TestServer server([](const TestRequest& request) { return TestResponse{.body = request.target}; });
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const std::string target = "/" + std::to_string(t * 100 + i);
        const auto response = client_->Fetch(Get(server.url(target)), 100, {});
        if (response && response->body == target) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 100);
  EXPECT_LE(server.connections(), 8);
}

}  // namespace
}  // namespace gptoss::net
