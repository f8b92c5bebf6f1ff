// Our side as a client, against agents of a few lines.
#include "acp/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace gptoss::acp {
namespace {

using namespace std::chrono_literals;

constexpr const char* kAgent = R"PY(
import json, sys
def say(message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
print("noise", flush=True)
waiting = None
for line in sys.stdin:
    message = json.loads(line)
    method, id, params = message.get("method"), message.get("id"), message.get("params")
    if method == "initialize":
        say({"id": id, "result": {"protocolVersion": 1, "authMethods": [{"id": "a", "name": "Key"}], "unknown": 1}})
    elif method == "session/new":
        if params["cwd"] == "/locked":
            say({"id": id, "error": {"code": -32000, "message": "login"}})
        else:
            say({"method": "session/update", "params": {"sessionId": "s", "update": {"sessionUpdate": "brand_new"}}})
            say({"id": id, "result": {"sessionId": "s"}})
    elif method == "session/prompt":
        text = params["prompt"][0]["text"]
        if text == "die":
            print("oh no", file=sys.stderr, flush=True)
            sys.exit(4)
        waiting = id
        if text == "ask":
            say({"id": "q", "method": "session/request_permission", "params": {"sessionId": "s", "toolCall": {"toolCallId": "c"}, "options": [{"optionId": "y", "name": "Y", "kind": "allow_once"}, {"optionId": "n", "name": "N", "kind": "reject_once"}]}})
        if text == "file":
            say({"id": "f", "method": "fs/read_text_file", "params": {"sessionId": "s", "path": "/x"}})
    elif method == "session/cancel" and waiting is not None:
        say({"id": waiting, "result": {"stopReason": "cancelled"}})
    elif id == "q":
        say({"id": waiting, "result": {"stopReason": message["result"]["outcome"].get("optionId", "cancelled")}})
    elif id == "f":
        say({"id": waiting, "result": {"stopReason": str(message["error"]["code"])}})
)PY";

ClientConfig Config(const char* script = kAgent) { return {.argv = {"python3", "-c", script}}; }
Json Text(const char* text) { return Json::array({{{"type", "text"}, {"text", text}}}); }

TEST(AcpClient, StartsAsksAndEnds) {
  std::atomic<int> updates{0};
  ClientConfig config = Config();
  config.on_update = [&](const Json&) { ++updates; };
  auto agent = Client::Start(config, {});
  ASSERT_TRUE(agent.has_value()) << agent.error().message;
  EXPECT_EQ((*agent)->initialize_result()["protocolVersion"], 1);
  EXPECT_EQ((*agent)->NewSession("/", {}).value(), "s");
  EXPECT_EQ(updates, 1);  // of a kind that nobody knows, before the answer
  const auto locked = (*agent)->NewSession("/locked", {});
  EXPECT_EQ(locked.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(locked.error().message.find("Key"), std::string::npos);
  EXPECT_EQ((*agent)->Prompt("s", Text("ask"), {}).value(), "n");  // refused, where nobody decides
  EXPECT_EQ((*agent)->Prompt("s", Text("file"), {}).value(), "-32601");
  EXPECT_EQ((*agent)->Stop(), 0);
}

TEST(AcpClient, ThePolicyAnswersPermissions) {
  ClientConfig config = Config();
  config.on_permission = [](const Json& params) {
    return std::optional(params["options"][0]["optionId"].get<std::string>());
  };
  const auto agent = Client::Start(config, {}).value();
  EXPECT_EQ(agent->Prompt("s", Text("ask"), {}).value(), "y");
}

TEST(AcpClient, ACancelledTurnEndsAndTheAgentStays) {
  const auto agent = Client::Start(Config(), {}).value();
  const CancelSource cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(20ms);
    cancel.Cancel();
  });
  EXPECT_EQ(agent->Prompt("s", Text("wait"), cancel.token()).value(), "cancelled");
  canceller.join();
  EXPECT_FALSE(agent->suspect());
}

TEST(AcpClient, AnAgentThatIgnoresACancelIsSuspect) {
  constexpr const char* kDeaf =
      "import json,sys\nfor l in sys.stdin:\n m=json.loads(l)\n if m.get('method')=='initialize': "
      "print(json.dumps({'jsonrpc':'2.0','id':m['id'],'result':{'protocolVersion':1}}),flush=True)\n";
  ClientConfig config = Config(kDeaf);
  config.cancel_patience = 50ms;
  const auto agent = Client::Start(config, {}).value();
  const CancelSource cancel;
  cancel.Cancel();
  EXPECT_EQ(agent->Prompt("s", Text("x"), cancel.token()).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(agent->suspect());
  EXPECT_EQ(agent->Prompt("s", Text("x"), {}).error().code, ErrorCode::kUnavailable);
}

TEST(AcpClient, AnAgentThatEndsSaysItsLastWords) {
  const auto agent = Client::Start(Config(), {}).value();
  const auto end = agent->Prompt("s", Text("die"), {});
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(agent->Stop(), 4);
}

TEST(AcpClient, WhatCannotStartIsNamed) {
  ClientConfig none{.argv = {"gptoss-no-such-agent"}};
  EXPECT_EQ(Client::Start(none, {}).error().code, ErrorCode::kNotFound);
  ClientConfig silent{.argv = {"sleep", "1000"}};
  silent.start_patience = 50ms;
  EXPECT_EQ(Client::Start(silent, {}).error().code, ErrorCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace gptoss::acp
