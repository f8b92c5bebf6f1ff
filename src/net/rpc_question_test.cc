#include "net/rpc_question.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>

namespace gptoss::net {
namespace {

using namespace std::chrono_literals;
using End = RpcQuestion::End;

// A connection, and the bare other end of it.
class RpcQuestionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0);
    connection_ =
        std::make_unique<RpcConnection>(ends_[0], ends_[0], RpcOptions{.max_queued_bytes = 1 << 16});
    reader_ = std::thread([this] {
      EXPECT_TRUE(connection_->Run(
          {.on_request = [](Json, std::string, Json) {}, .on_notification = [](std::string, Json) {}}));
    });
  }
  void TearDown() override {
    connection_->Close();
    reader_.join();
    for (const int end : ends_) ::close(end);
  }
  void Answer(std::int64_t id, const std::string& result) {
    const std::string line =
        R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":)" + result + "}\n";
    ASSERT_EQ(::write(ends_[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  int ends_[2] = {-1, -1};
  std::unique_ptr<RpcConnection> connection_;
  std::thread reader_;
};

TEST_F(RpcQuestionTest, IsAnswered) {
  const RpcQuestion question(*connection_, "ask", Json::object());
  EXPECT_EQ(question.WaitFor(0ms), End::kLate);
  Answer(question.id(), "7");
  EXPECT_EQ(question.WaitFor(std::nullopt), End::kAnswered);
  EXPECT_FALSE(question.GiveUp());
  EXPECT_EQ(question.Take().value(), 7);
}

TEST_F(RpcQuestionTest, IsGivenUpWhenItsTimeIsOverOrItIsCancelled) {
  const RpcQuestion slow(*connection_, "ask", Json::object());
  EXPECT_EQ(slow.WaitFor(30ms), End::kLate);
  EXPECT_TRUE(slow.GiveUp());
  CancelSource cancel;
  const RpcQuestion cancelled(*connection_, "ask", Json::object());
  cancel.Cancel();
  EXPECT_EQ(cancelled.WaitFor(std::nullopt, cancel.token()), End::kCancelled);
  EXPECT_TRUE(cancelled.GiveUp());
  Answer(slow.id(), "1");  // too late: nothing happens
  Answer(cancelled.id(), "1");
}

TEST_F(RpcQuestionTest, ALateAnswerGoesToWhoWantsIt) {
  std::promise<int> late;
  const RpcQuestion question(*connection_, "ask", Json::object(), {},
                             [&](const RpcReply& reply) { late.set_value(reply ? reply->get<int>() : -1); });
  EXPECT_EQ(question.WaitFor(0ms), End::kLate);
  EXPECT_TRUE(question.GiveUp());
  Answer(question.id(), "7");
  EXPECT_EQ(late.get_future().get(), 7);
}

TEST_F(RpcQuestionTest, OneThatCannotBeSaidInTimeFails) {
  while (::send(ends_[0], "x", 1, MSG_DONTWAIT) == 1) continue;  // nobody reads
  for (int i = 0; i < 8; ++i) connection_->Notify("fill", {{"text", std::string(1 << 14, 'y')}}, kAtOnce);
  const RpcQuestion question(*connection_, "ask", Json::object(),
                             {.until = std::chrono::steady_clock::now() + 50ms});
  EXPECT_EQ(question.WaitFor(60s), End::kAnswered);
  EXPECT_FALSE(question.Take().has_value());
}

}  // namespace
}  // namespace gptoss::net
