#include "mcp/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "mcp/event_stream.h"
#include "mcp/messages.h"
#include "net/testing/test_server.h"

namespace gptoss::mcp {
namespace {

using net::testing::TestRequest;
using net::testing::TestResponse;
using net::testing::TestServer;

// A server over pipes, as small as it can be.
constexpr const char* kServer = R"PY(
import json, sys, time
print("a line that is no message", flush=True)
def say(message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    method, id = message.get("method"), message.get("id")
    if method == "initialize":
        say({"id": "ping-1", "method": "ping"})
        say({"id": id, "result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}})
    elif method == "tools/list":
        if "cursor" not in message["params"]:
            say({"id": id, "result": {"tools": [{"name": "echo", "description": "says it again", "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}}, {"broken": 1}], "nextCursor": "2"}})
        else:
            say({"id": id, "result": {"tools": [{"name": "slow"}]}})
    elif method == "tools/call" and message["params"]["name"] == "echo":
        text = message["params"]["arguments"].get("text", "")
        if text == "die":
            print("last words", file=sys.stderr, flush=True)
            sys.exit(3)
        text = text or json.dumps(message["params"].get("_meta"))
        say({"id": id, "result": {"content": [{"type": "text", "text": text}, {"type": "image", "data": "", "mimeType": "x"}], "isError": text == "bad"}})
    elif method == "tools/call" and message["params"]["name"] == "absent":
        say({"id": id, "error": {"code": -32602, "message": "no such tool"}})
)PY";

Result<std::unique_ptr<Client>> Pipes(ClientOptions options = {}) {
  return Client::Connect({.name = "s", .command = "python3", .arguments = {"-c", kServer}}, options, {});
}

TEST(McpPipes, ListsAndCalls) {
  const auto client = Pipes();
  ASSERT_TRUE(client.has_value()) << client.error().message;
  ASSERT_EQ((*client)->tools().size(), 2U);
  EXPECT_EQ((*client)->tools()[0].name, "echo");
  EXPECT_TRUE((*client)->tools()[0].input_schema["properties"].contains("text"));
  EXPECT_EQ((*client)->tools()[1].input_schema["type"], "object");
  EXPECT_TRUE((*client)
                  ->CallTool("echo", {{"text", ""}}, {}, {{"traceparent", "00-a"}})
                  ->text.starts_with(R"({"traceparent": "00-a"})"));
  const auto result = (*client)->CallTool("echo", {{"text", "hello"}}, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->text, "hello\n[image, not shown]");
  EXPECT_FALSE(result->failed);
  EXPECT_TRUE((*client)->CallTool("echo", {{"text", "bad"}}, {})->failed);
  EXPECT_NE((*client)->CallTool("absent", Json::object(), {}).error().message.find("no such tool"),
            std::string::npos);
}

TEST(McpPipes, ACallIsCancelledOrTimesOutAndTheServerStays) {
  const auto client = Pipes({.call_patience = std::chrono::milliseconds(200)});
  ASSERT_TRUE(client.has_value()) << client.error().message;
  EXPECT_EQ((*client)->CallTool("slow", Json::object(), {}).error().code, ErrorCode::kDeadlineExceeded);
  const CancelSource cancel;
  cancel.Cancel();
  EXPECT_EQ((*client)->CallTool("slow", Json::object(), cancel.token()).error().code, ErrorCode::kCancelled);
  EXPECT_EQ((*client)->CallTool("echo", {{"text", "x"}}, {})->text, "x\n[image, not shown]");
}

TEST(McpPipes, AServerThatEndsSaysItsLastWords) {
  const auto client = Pipes();
  ASSERT_TRUE(client.has_value());
  const auto result = (*client)->CallTool("echo", {{"text", "die"}}, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(result.error().message.find("MCP server 's'"), std::string::npos);
  EXPECT_EQ((*client)->CallTool("echo", {{"text", "x"}}, {}).error().code, ErrorCode::kUnavailable);
}

TEST(McpPipes, WhatCannotStartIsNamed) {
  const auto none = Client::Connect({.name = "n", .command = "gptoss-no-such-server"}, {}, {});
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find("'n'"), std::string::npos);
  const auto ends = Client::Connect({.name = "e", .command = "true"}, {}, {});
  ASSERT_FALSE(ends.has_value());
  EXPECT_EQ(ends.error().code, ErrorCode::kUnavailable);
  const auto silent = Client::Connect({.name = "q", .command = "sleep", .arguments = {"1000"}},
                                      {.start_patience = std::chrono::milliseconds(200)}, {});
  ASSERT_FALSE(silent.has_value());
  EXPECT_EQ(silent.error().code, ErrorCode::kDeadlineExceeded);
}

TestResponse Answer(const TestRequest& request, bool as_events) {
  if (request.method == "DELETE") return {.status = 405};
  const auto message = ParseJson(request.body).value();
  const std::string method = message["method"];
  if (!message.contains("id")) return {.status = 202};
  Json result = Json::object();
  if (method == "initialize")
    result = {{"protocolVersion", "2025-03-26"}, {"capabilities", {{"tools", Json::object()}}}};
  if (method == "tools/list")
    result = {{"tools", {{{"name", "add"}, {"inputSchema", {{"type", "object"}}}}}}};
  if (method == "tools/call")
    result = {{"content", {{{"type", "text"}, {"text", "3"}}}}, {"structuredContent", {{"sum", 3}}}};
  const std::string reply = DumpJson({{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}});
  TestResponse response;
  if (method == "initialize") response.headers.emplace_back("Mcp-Session-Id", "abc");
  response.headers.emplace_back("Content-Type",
                                as_events ? "text/event-stream; charset=utf-8" : "application/json");
  response.body = as_events ? ": hi\r\nevent: message\r\ndata: "
                              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\r\n\r\ndata: " +
                                  reply + "\r\n\r\n"
                            : reply;
  return response;
}

TEST(McpHttp, ListsAndCallsInBothForms) {
  for (const bool as_events : {false, true}) {
    TestServer server([as_events](const TestRequest& request) { return Answer(request, as_events); });
    {
      const auto client = Client::Connect(
          {.name = "h", .url = server.url("/mcp"), .headers = {{"Authorization", "Bearer x"}}}, {}, {});
      ASSERT_TRUE(client.has_value()) << client.error().message;
      ASSERT_EQ((*client)->tools().size(), 1U);
      const auto result = (*client)->CallTool("add", {{"a", 1}}, {});
      ASSERT_TRUE(result.has_value()) << result.error().message;
      EXPECT_EQ(result->text, "3");
      EXPECT_EQ(result->structured["sum"], 3);
    }
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 5U);  // initialize, initialized, list, call, delete
    EXPECT_FALSE(requests[0].headers.contains("mcp-session-id"));
    for (std::size_t i = 1; i < requests.size(); ++i) {
      EXPECT_EQ(requests[i].headers.at("mcp-session-id"), "abc");
      EXPECT_EQ(requests[i].headers.at("mcp-protocol-version"), "2025-03-26");
      EXPECT_EQ(requests[i].headers.at("authorization"), "Bearer x");
    }
    EXPECT_EQ(requests[4].method, "DELETE");
  }
}

TEST(McpHttp, RefusalsAreNamed) {
  TestServer server([](const TestRequest&) { return TestResponse{.status = 401}; });
  const auto client = Client::Connect({.name = "h", .url = server.url("/")}, {}, {});
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(client.error().message.find("401"), std::string::npos);
}

TEST(EventStream, AnySplitGivesTheSameEvents) {
  const std::string text =
      "data: a\n\n: c\rdata:b\rdata: c\r\r\nevent: x\r\ndata\r\n\r\ndatab: no\n\ndata: last";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EventStream stream;
    std::vector<std::string> events;
    const auto take = [&](std::string_view event) { events.emplace_back(event); };
    for (std::size_t at = 0; at < text.size(); at += piece)
      ASSERT_TRUE(stream.Push(std::string_view(text).substr(at, piece), take));
    stream.Finish(take);
    EXPECT_EQ(events, (std::vector<std::string>{"a", "b\nc", "", "last"})) << piece;
  }
}

TEST(Messages, UnknownVersionsAreRefused) {
  EXPECT_EQ(ReadInitializeResult({{"protocolVersion", "1999-01-01"}}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(ReadInitializeResult(Json::array()).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(ReadInitializeResult({{"protocolVersion", "2025-06-18"}}).value(), "2025-06-18");
}

}  // namespace
}  // namespace gptoss::mcp
