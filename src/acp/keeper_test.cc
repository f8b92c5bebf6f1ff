// An agent that ends is started again, with pauses and an end to that; its questions are answered by policy.
#include "acp/keeper.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace gptoss::acp {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Ends at "die", hangs at "hang", answers everything else.
constexpr const char* kMortalAgent = R"PY(
import json, sys
def say(message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    method, id, params = message.get("method"), message.get("id"), message.get("params")
    if method == "initialize":
        say({"id": id, "result": {"protocolVersion": 1}})
    elif method == "session/new":
        say({"id": id, "result": {"sessionId": "s"}})
    elif method == "session/prompt":
        text = params["prompt"][0]["text"]
        if text == "die": sys.exit(1)
        if text != "hang": say({"id": id, "result": {"stopReason": "end_turn"}})
)PY";
ClientConfig MortalAgent(const char* script = kMortalAgent) { return {.argv = {"python3", "-c", script}}; }
Json Said(const char* text) { return Json::array({{{"type", "text"}, {"text", text}}}); }

TEST(AgentKeeper, TheSameAgentWhileItRuns) {
  AgentKeeper keeper(MortalAgent());
  const auto one = keeper.Get({}).value(), two = keeper.Get({}).value();
  EXPECT_EQ(one, two);
  EXPECT_EQ(keeper.starts(), 1);
}

TEST(AgentKeeper, OneThatEndsIsStartedAgainAfterGrowingPausesAndNotForEver) {
  AgentKeeper keeper(MortalAgent(),
                     {.first_pause = 100ms, .longest_pause = 200ms, .max_restarts = 3, .window = 600s});
  std::vector<Clock::time_point> times;
  for (int i = 0; i < 4; ++i) {
    const auto agent = keeper.Get({});
    ASSERT_TRUE(agent.has_value()) << agent.error().message;
    times.push_back(Clock::now());
    EXPECT_EQ((*agent)->Prompt("s", Said("hello"), {}).value(), "end_turn");
    EXPECT_EQ((*agent)->Prompt("s", Said("die"), {}).error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE((*agent)->running());
  }
  EXPECT_GE(times[3] - times[0], 100ms);  // pauses, measured from start to start
  const auto refused = keeper.Get({});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(refused.error().message.find("python3 has ended 4 times"), std::string::npos);
  EXPECT_EQ(keeper.starts(), 4);
}

TEST(AgentKeeper, OneThatHangsIsReplaced) {
  ClientConfig config = MortalAgent();
  config.turn_patience = 50ms;
  config.cancel_patience = 50ms;
  AgentKeeper keeper(config, {.first_pause = 1ms});
  {
    const auto agent = keeper.Get({}).value();
    EXPECT_EQ(agent->Prompt("s", Said("hang"), {}).error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_TRUE(agent->suspect());
  }
  const auto next = keeper.Get({}).value();
  EXPECT_TRUE(next->running());
  EXPECT_EQ(keeper.starts(), 2);
}

TEST(AgentKeeper, FailedStartsCountAndACancelEndsAPause) {
  AgentKeeper keeper({.argv = {"gptoss-no-such-agent"}}, {.first_pause = 600s});
  EXPECT_EQ(keeper.Get({}).error().code, ErrorCode::kNotFound);
  const CancelSource cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(20ms);
    cancel.Cancel();
  });
  EXPECT_EQ(keeper.Get(cancel.token()).error().code, ErrorCode::kCancelled);
  canceller.join();
  EXPECT_EQ(keeper.starts(), 1);
}

TEST(AnswerBy, ChoosesByKindAndNeverForEver) {
  const auto params = [](const char* kind) {
    return Json{{"toolCall", {{"toolCallId", "c"}, {"kind", kind}}},
                {"options",
                 {{{"optionId", "aa"}, {"kind", "allow_always"}},
                  {{"optionId", "a"}, {"kind", "allow_once"}},
                  {{"optionId", "r"}, {"kind", "reject_once"}}}}};
  };
  EXPECT_EQ(AnswerBy(PermissionPolicy::kRefuse)(params("read")), "r");
  EXPECT_EQ(AnswerBy(PermissionPolicy::kAllowReading)(params("read")), "a");
  EXPECT_EQ(AnswerBy(PermissionPolicy::kAllowReading)(params("execute")), "r");
  EXPECT_EQ(AnswerBy(PermissionPolicy::kAllow)(params("execute")), "a");
  Json always = params("edit");
  always["options"] = {{{"optionId", "aa"}, {"kind", "allow_always"}}};
  EXPECT_EQ(AnswerBy(PermissionPolicy::kAllow)(always), std::nullopt);
  EXPECT_EQ(AnswerBy(PermissionPolicy::kAllow)(Json::array()), std::nullopt);
}

}  // namespace
}  // namespace gptoss::acp
