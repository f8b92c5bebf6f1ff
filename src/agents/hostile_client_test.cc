// A client that answers what it is asked with anything, late, twice, or never.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "acp/connection.h"
#include "agents/acp_face/client_calls.h"

namespace gptoss::agents {
namespace {

using namespace std::chrono_literals;

// Ours on one end, theirs on the other. What is asked is answered by `answers`, or else never; what was asked
// and told is kept.
class HostileClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0);
    ours_ = std::make_unique<acp::Connection>(ends_[0], ends_[0]);
    theirs_ = std::make_unique<acp::Connection>(ends_[1], ends_[1]);
    threads_.emplace_back([this] {
      static_cast<void>(ours_->Run(
          {.on_request = [](Json, std::string, Json) {}, .on_notification = [](std::string, Json) {}}));
    });
    threads_.emplace_back([this] {
      static_cast<void>(
          theirs_->Run({.on_request = [this](Json id, std::string method,
                                             Json params) { Asked(std::move(id), method, params); },
                        .on_notification =
                            [this](const std::string& method, const Json&) {
                              std::lock_guard lock(mutex_);
                              told_.push_back(method);
                            }}));
    });
  }
  void TearDown() override {
    ours_->Close(10s);
    theirs_->Close(10s);
    for (std::thread& thread : threads_) thread.join();
    for (const int end : ends_) ::close(end);
  }
  void Asked(Json id, const std::string& method, const Json& params) {
    std::vector<acp::Reply> replies;
    {
      std::lock_guard lock(mutex_);
      asked_.push_back(method);
      params_ = params;
      last_id_ = id;
      if (const auto found = answers_.find(method); found != answers_.end()) replies = found->second;
    }
    for (const acp::Reply& reply : replies) theirs_->Reply(id, reply);
  }
  void Answer(const std::string& method, std::vector<acp::Reply> replies) {
    std::lock_guard lock(mutex_);
    answers_[method] = std::move(replies);
  }
  void Answer(const std::string& method, const char* json) {
    Answer(method, {acp::Reply(ParseJson(json).value())});
  }
  bool Until(const std::function<bool()>& look) {
    for (int i = 0; i < 6000; ++i) {
      {
        std::lock_guard lock(mutex_);
        if (look()) return true;
      }
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
  bool UntilAsked(const std::string& method) {
    return Until([&] { return std::ranges::find(asked_, method) != asked_.end(); });
  }
  bool UntilTold(const std::string& method) {
    return Until([&] { return std::ranges::find(told_, method) != told_.end(); });
  }
  Json LastId() {
    std::lock_guard lock(mutex_);
    return last_id_;
  }
  ClientCalls Calls() const { return {*ours_, "s", 60ms}; }
  ClientCalls PatientCalls() const { return {*ours_, "s", 60s}; }

  int ends_[2] = {-1, -1};
  std::unique_ptr<acp::Connection> ours_, theirs_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::map<std::string, std::vector<acp::Reply>> answers_;
  std::vector<std::string> asked_, told_;
  Json params_, last_id_;
};

// No object of ours, whatever it is.
constexpr const char* kNonsense[] = {
    "null",
    "5",
    "1e300",
    "\"text\"",
    "[]",
    "[{}]",
    "{}",
    R"({"content":null,"terminalId":null,"output":null,"outcome":null,"action":null})",
    R"({"content":5,"terminalId":5,"output":5,"outcome":5,"action":5})",
    R"({"content":["a"],"terminalId":["a"],"output":["a"],"outcome":["a"],"action":["a"]})",
    R"({"content":{},"terminalId":{},"output":{},"outcome":{},"action":{}})",
    R"({"terminalId":"","outcome":{"outcome":"selected"},"action":"perhaps"})",
    R"({"outcome":{"outcome":"selected","optionId":7}})",
    R"({"outcome":{"outcome":"selected","optionId":"nobody offered this"}})",
    R"({"outcome":{"outcome":"yes","optionId":"allow"}})"};

acp::Reply LongError() {
  return std::unexpected(acp::RpcError{.code = 7, .message = std::string(1 << 20, 'e'), .data = nullptr});
}
const std::vector<acp::PermissionOption> kOptions = {{"allow", "Allow", "allow_once"},
                                                     {"no", "No", "reject_once"}};

TEST_F(HostileClientTest, NonsenseForAFile) {
  for (const char* nonsense : kNonsense) {
    Answer("fs/read_text_file", nonsense);
    const auto text = PatientCalls().ReadFile("/f", {});
    ASSERT_FALSE(text.has_value()) << nonsense;
    EXPECT_EQ(text.error().message, "the client answered without content");
  }
  Answer("fs/read_text_file", {LongError()});
  const auto text = PatientCalls().ReadFile("/f", {});
  EXPECT_LT(text.error().message.size(), 300U);
  Answer("fs/write_text_file", {LongError()});
  EXPECT_LT(PatientCalls().WriteFile("/f", "text", {}).error().message.size(), 300U);
  Answer("fs/write_text_file", "null");  // any result is one
  EXPECT_TRUE(PatientCalls().WriteFile("/f", "text", {}).has_value());
}

TEST_F(HostileClientTest, NoFileEver) {
  EXPECT_EQ(Calls().ReadFile("/f", {}).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(UntilTold("$/cancel_request"));
  EXPECT_EQ(Calls().WriteFile("/f", "text", {}).error().code, ErrorCode::kDeadlineExceeded);
  CancelSource cancel;
  cancel.Cancel();
  EXPECT_EQ(PatientCalls().ReadFile("/f", cancel.token()).error().code, ErrorCode::kCancelled);
}

TEST_F(HostileClientTest, TwiceAndTooLate) {
  Answer("fs/read_text_file", {Json{{"content", "first"}}, Json{{"content", "second"}}, LongError()});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(PatientCalls().ReadFile("/f", {}).value(), "first");
  Answer("fs/read_text_file", std::vector<acp::Reply>());
  EXPECT_FALSE(Calls().ReadFile("/slow", {}).has_value());
  EXPECT_TRUE(Until([&] { return TextOf(params_, "path") == "/slow"; }));
  theirs_->Reply(LastId(), Json{{"content", "too late"}});
  theirs_->Reply(Json("never asked"), Json{{"content", "x"}});
  theirs_->Reply(Json(nullptr), Json{{"content", "x"}});
  Answer("fs/read_text_file", R"({"content":"now"})");
  EXPECT_EQ(PatientCalls().ReadFile("/f", {}).value(), "now");
}

TEST_F(HostileClientTest, NonsenseForATerminal) {
  for (const char* nonsense : kNonsense) {
    Answer("terminal/create", nonsense);
    const auto terminal = PatientCalls().OpenTerminal({.command = "true"}, {});
    ASSERT_FALSE(terminal.has_value()) << nonsense;
    EXPECT_EQ(terminal.error().message, "the client opened a terminal without an id");
  }
  Answer("terminal/create", {LongError()});
  EXPECT_LT(PatientCalls().OpenTerminal({.command = "true"}, {}).error().message.size(), 300U);
}

TEST_F(HostileClientTest, ATerminalThatComesTooLateIsGivenBack) {
  EXPECT_EQ(Calls().OpenTerminal({.command = "true"}, {}).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(UntilAsked("terminal/create"));
  theirs_->Reply(LastId(), Json{{"terminalId", "late"}});
  EXPECT_TRUE(
      Until([&] { return asked_.back() == "terminal/release" && TextOf(params_, "terminalId") == "late"; }));
}

TEST_F(HostileClientTest, NonsenseFromATerminal) {
  Answer("terminal/create", R"({"terminalId":"t"})");
  for (const char* exit : {"null", "5", "[]", R"({"exitCode":"x","signal":5})", R"({"exitCode":1e300})",
                           R"({"exitCode":18446744073709551615})", R"({"exitCode":-7,"signal":null})"}) {
    Answer("terminal/wait_for_exit", exit);
    const auto terminal = PatientCalls().OpenTerminal({.command = "true"}, {});
    ASSERT_TRUE(terminal.has_value());
    EXPECT_TRUE((*terminal)->WaitForExit(60s).value().has_value()) << exit;
  }
  for (const char* nonsense : kNonsense) {
    Answer("terminal/output", nonsense);
    const auto terminal = PatientCalls().OpenTerminal({.command = "true"}, {});
    EXPECT_EQ((*terminal)->Output().error().message, "the client answered without output") << nonsense;
  }
  Answer("terminal/wait_for_exit", {LongError()});
  const auto terminal = PatientCalls().OpenTerminal({.command = "true"}, {});
  EXPECT_LT((*terminal)->WaitForExit(60s).error().message.size(), 300U);
}

TEST_F(HostileClientTest, ATerminalThatSaysNothing) {
  Answer("terminal/create", R"({"terminalId":"t"})");
  {
    const auto terminal = Calls().OpenTerminal({.command = "true"}, {});
    ASSERT_TRUE(terminal.has_value());
    EXPECT_FALSE((*terminal)->WaitForExit(30ms).value().has_value());
    EXPECT_FALSE((*terminal)->Kill().has_value());
    EXPECT_EQ((*terminal)->Output().error().code, ErrorCode::kDeadlineExceeded);
  }
  EXPECT_TRUE(UntilAsked("terminal/release"));
}

TEST_F(HostileClientTest, NonsenseForAPermissionIsNone) {
  using Kind = acp::PermissionOutcome::Kind;
  for (const char* nonsense : kNonsense) {
    Answer("session/request_permission", nonsense);
    EXPECT_EQ(PatientCalls().AskPermission({.id = "c"}, kOptions, nullptr, {}).kind, Kind::kDenied)
        << nonsense;
  }
  Answer("session/request_permission", {LongError()});
  EXPECT_EQ(PatientCalls().AskPermission({.id = "c"}, kOptions, nullptr, {}).kind, Kind::kDenied);
  const Json allow{{"outcome", {{"outcome", "selected"}, {"optionId", "allow"}}}};
  const Json no{{"outcome", {{"outcome", "selected"}, {"optionId", "no"}}}};
  Answer("session/request_permission", {acp::Reply(no), acp::Reply(allow)});
  EXPECT_EQ(PatientCalls().AskPermission({.id = "c"}, kOptions, nullptr, {}).option, "no");
}

TEST_F(HostileClientTest, APermissionNeverGivenIsWithdrawnByACancel) {
  CancelSource cancel;
  auto outcome = std::async(std::launch::async, [&] {
    return PatientCalls().AskPermission({.id = "c"}, kOptions, nullptr, cancel.token());
  });
  EXPECT_TRUE(UntilAsked("session/request_permission"));
  cancel.Cancel();
  EXPECT_EQ(outcome.get().kind, acp::PermissionOutcome::Kind::kCancelled);
  EXPECT_TRUE(UntilTold("$/cancel_request"));
}

TEST_F(HostileClientTest, NonsenseForAForm) {
  using Kind = acp::FormOutcome::Kind;
  for (const char* nonsense : kNonsense) {
    Answer("elicitation/create", nonsense);
    EXPECT_EQ(PatientCalls().AskForm({.message = "?"}, {}).kind, Kind::kFailed) << nonsense;
  }
  for (const char* accepted : {R"({"action":"accept"})", R"({"action":"accept","content":5})",
                               R"({"action":"accept","content":{"answer":5,"other":{"a":[]}}})",
                               R"({"action":"accept","content":[["answer","x"]]})"}) {
    Answer("elicitation/create", accepted);
    const acp::FormOutcome outcome = PatientCalls().AskForm({.message = "?"}, {});
    EXPECT_EQ(outcome.kind, Kind::kAccepted) << accepted;
    EXPECT_TRUE(outcome.answers.empty()) << accepted;
  }
}

}  // namespace
}  // namespace gptoss::agents
