#include "net/json_rpc.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/line_splitter.h"

namespace gptoss::net {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> Split(std::string_view bytes, std::size_t piece, std::size_t limit = 100) {
  LineSplitter splitter(limit);
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    if (!splitter.Push(bytes.substr(at, piece), take)) {
      lines.push_back("TOO LONG");
      return lines;
    }
  }
  splitter.Finish(take);
  return lines;
}

TEST(LineSplitter, AnySplitGivesTheSameLines) {
  const std::string bytes = "one\r\n\n  \ntwo\nthree\r\r\nfour";
  const std::vector<std::string> expected = {"one", "two", "three\r", "four"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(Split(bytes, piece), expected) << piece;
}

TEST(LineSplitter, ALineOfTheLimitPassesAndOneMoreByteDoesNot) {
  EXPECT_EQ(Split(std::string(10, 'x') + "\n", 3, 10), std::vector<std::string>{std::string(10, 'x')});
  EXPECT_EQ(Split(std::string(11, 'x') + "\n", 3, 10), std::vector<std::string>{"TOO LONG"});
}

TEST(ReadRpcMessage, KnowsTheKindsAndKeepsIdsAsTheyCame) {
  using Kind = RpcMessage::Kind;
  EXPECT_EQ(ReadRpcMessage(R"({"jsonrpc":"2.0","id":7,"method":"a","params":{}})").kind, Kind::kRequest);
  EXPECT_EQ(ReadRpcMessage(R"({"jsonrpc":"2.0","id":null,"method":"a"})").kind, Kind::kRequest);
  EXPECT_EQ(ReadRpcMessage(R"({"jsonrpc":"2.0","id":"7","method":"a"})").id, Json("7"));
  EXPECT_EQ(ReadRpcMessage(R"({"jsonrpc":"2.0","method":"a"})").kind, Kind::kNotification);
  EXPECT_EQ(ReadRpcMessage(R"({"jsonrpc":"2.0","id":1,"result":null})").kind, Kind::kReply);
  const RpcMessage error =
      ReadRpcMessage(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"m","data":[1]}})");
  EXPECT_EQ(error.reply.error().code, -32002);
  EXPECT_EQ(error.reply.error().data, Json::array({1}));
}

TEST(ReadRpcMessage, SaysWhatIsWrong) {
  const auto code = [](std::string_view line) {
    const RpcMessage message = ReadRpcMessage(line);
    return message.kind == RpcMessage::Kind::kMalformed ? message.reply.error().code : 0;
  };
  EXPECT_EQ(code("noise"), kRpcParseError);
  EXPECT_EQ(code("{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}"), kRpcParseError);
  EXPECT_EQ(code("[]"), kRpcInvalidRequest);
  EXPECT_EQ(code(R"([{"jsonrpc":"2.0","id":1,"method":"a"}])"), kRpcInvalidRequest);
  EXPECT_EQ(code("3"), kRpcInvalidRequest);
  EXPECT_EQ(code(R"({"id":1,"method":"a"})"), kRpcInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1.5,"method":"a"})"), kRpcInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":{},"method":"a"})"), kRpcInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"a","params":5})"), kRpcInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1})"), kRpcInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"result":1,"error":{}})"), kRpcInvalidRequest);
  EXPECT_EQ(code(std::string(500, '[')), kRpcParseError);
}

TEST(ReadRpcMessage, ANotificationIsNeverAnswered) {
  using Kind = RpcMessage::Kind;
  for (const char* params : {"5", "\"x\"", "true"}) {
    const std::string rest = std::string(R"("method":"a","params":)") + params + "}";
    const RpcMessage told = ReadRpcMessage(R"({"jsonrpc":"2.0",)" + rest);
    EXPECT_EQ(told.kind, Kind::kMalformed);
    EXPECT_TRUE(told.never_answered);
    EXPECT_FALSE(ReadRpcMessage(R"({"jsonrpc":"2.0","id":null,)" + rest).never_answered);
  }
  EXPECT_FALSE(ReadRpcMessage("noise").never_answered);
  EXPECT_FALSE(ReadRpcMessage(R"({"jsonrpc":"2.0","method":5})").never_answered);
  EXPECT_EQ(ReadRpcMessage(R"({"jsonrpc":"2.0","method":"a","params":[1]})").kind, Kind::kNotification);
}

// Two connections over a pair of sockets, each run on a thread of its own.
class Pair {
 public:
  explicit Pair(RpcHandlers left, RpcHandlers right, RpcOptions options = {}) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0);
    left_ = std::make_unique<RpcConnection>(ends_[0], ends_[0], options);
    right_ = std::make_unique<RpcConnection>(ends_[1], ends_[1], options);
    threads_.emplace_back([this, left] { EXPECT_TRUE(left_->Run(left)); });
    threads_.emplace_back([this, right] { EXPECT_TRUE(right_->Run(right)); });
  }
  ~Pair() { End(); }
  void End() {
    left_->Close(10s);
    right_->Close(10s);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    for (int& end : ends_) {
      if (end >= 0) ::close(end);
      end = -1;
    }
  }
  RpcConnection& left() { return *left_; }
  RpcConnection& right() { return *right_; }

 private:
  int ends_[2] = {-1, -1};
  std::unique_ptr<RpcConnection> left_, right_;
  std::vector<std::thread> threads_;
};

RpcHandlers Silent() {
  return {.on_request = [](Json, std::string, Json) {}, .on_notification = [](std::string, Json) {}};
}

TEST(RpcConnection, BothSidesAskAndOrderIsKept) {
  std::vector<std::string> seen;
  Pair* pair = nullptr;
  std::promise<void> ready;
  const std::shared_future<void> is_ready = ready.get_future().share();
  RpcHandlers server = {
      .on_request =
          [&](Json id, std::string method, Json params) {
            is_ready.wait();
            for (int i = 0; i < 3; ++i) pair->right().Notify("update", {{"n", i}});
            if (method == "fail") {
              pair->right().Reply(
                  id, std::unexpected(RpcError{.code = -32002, .message = "no", .data = nullptr}));
            } else {
              pair->right().Reply(id, Json{{"echo", std::move(params)}});
            }
          },
      .on_notification = [](std::string, Json) {}};
  RpcHandlers client = Silent();
  client.on_notification = [&](std::string, Json params) {
    seen.push_back("u" + std::to_string(params["n"].get<int>()));
  };
  Pair connections(client, server);
  pair = &connections;
  ready.set_value();
  std::promise<void> ended;
  connections.left().Call("ask", Json::array({1}),
                          [&](RpcReply reply) { seen.push_back(reply ? DumpJson(*reply) : "error"); });
  connections.left().Call("fail", nullptr, [&](RpcReply reply) {
    seen.push_back(reply ? "result" : std::to_string(reply.error().code));
    ended.set_value();
  });
  ended.get_future().wait();
  connections.End();
  EXPECT_EQ(seen, (std::vector<std::string>{"u0", "u1", "u2", "{\"echo\":[1]}", "u0", "u1", "u2", "-32002"}));
}

TEST(RpcConnection, CallsThatWaitAreAnsweredWhenItCloses) {
  std::promise<int> code;
  {
    Pair connections(Silent(), Silent());
    connections.left().Call("never", nullptr, [&](RpcReply reply) { code.set_value(reply.error().code); });
  }
  EXPECT_EQ(code.get_future().get(), kRpcInternalError);
}

TEST(RpcConnection, AnAbandonedCallIsAnsweredOnce) {
  std::atomic<int> answers{0};
  Pair connections(Silent(), Silent());
  const auto call = connections.left().Call("never", nullptr, [&](RpcReply) { ++answers; });
  EXPECT_TRUE(connections.left().Abandon(call, -32800, "cancelled"));
  EXPECT_FALSE(connections.left().Abandon(call, -32800, "cancelled"));
  connections.End();
  EXPECT_EQ(answers, 1);
}

// The other side reads nothing: writers wait, and closing does not.
TEST(RpcConnection, ClosesWhileTheReaderIsStuck) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  int input[2];
  ASSERT_EQ(::pipe(input), 0);
  RpcConnection connection(input[0], ends[1], {.max_queued_bytes = 1 << 16});
  std::atomic<int> sent{0};
  std::thread writer([&] {
    for (int i = 0; i < 100; ++i, ++sent) connection.Notify("x", {{"text", std::string(1 << 14, 'y')}});
  });
  while (sent < 3) std::this_thread::yield();
  connection.Close();
  writer.join();
  EXPECT_EQ(sent, 100);
  for (const int end : {ends[0], ends[1], input[0], input[1]}) ::close(end);
}

// One end of a connection that runs; its other end is the test's, which may read or not.
class Bare {
 public:
  explicit Bare(RpcOptions options, RpcHandlers handlers = {}) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0);
    ::fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    connection_ = std::make_unique<RpcConnection>(ends_[0], ends_[0], options);
    if (!handlers.on_request) {
      handlers.on_request = [this](Json id, std::string, Json) {
        ++asked_;
        connection_->Reply(id, Json(std::string(1000, 'r')));
      };
    }
    if (!handlers.on_notification) handlers.on_notification = [this](std::string, Json) { ++told_; };
    thread_ = std::thread([this, handlers] {
      EXPECT_TRUE(connection_->Run(handlers));
      ended_ = true;
    });
  }
  ~Bare() {
    connection_->Close();
    thread_.join();
    CloseOurs();
    ::close(ends_[0]);
  }
  void CloseOurs() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  void EndInput() { ::shutdown(ends_[1], SHUT_WR); }
  // Requests until the other side takes no more; how many whole ones went.
  int Flood() {
    const std::string line = R"({"jsonrpc":"2.0","id":1,"method":"ask"})"
                             "\n";
    for (int idle = 0; idle < 40;) {
      const std::string_view rest = std::string_view(line).substr(at_);
      const ssize_t put = ::send(ends_[1], rest.data(), rest.size(), MSG_NOSIGNAL);
      if (put <= 0) {
        ++idle;
        std::this_thread::sleep_for(5ms);
        continue;
      }
      idle = 0;
      at_ += static_cast<std::size_t>(put);
      if (at_ < line.size()) continue;
      at_ = 0;
      ++sent_;
    }
    return sent_;
  }
  std::size_t ReadSome() {
    char buffer[1 << 16];
    const ssize_t got = ::read(ends_[1], buffer, sizeof buffer);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  bool Until(const std::function<bool()>& look) {
    for (int i = 0; i < 6000; ++i) {
      if (look()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
  RpcConnection& connection() { return *connection_; }
  int asked() const { return asked_; }
  int told() const { return told_; }
  bool ended() const { return ended_; }

 private:
  int ends_[2] = {-1, -1};
  std::unique_ptr<RpcConnection> connection_;
  std::thread thread_;
  std::atomic<int> asked_{0}, told_{0};
  std::atomic<bool> ended_{false};
  std::size_t at_ = 0;
  int sent_ = 0;
};

// 16 KiB of answers at most, and what the system holds: not one answer for every question.
TEST(RpcConnection, WhoAsksAndDoesNotReadIsNotListenedTo) {
  Bare bare({.max_unread_bytes = 1 << 14});
  const int sent = bare.Flood();
  const int asked = bare.asked();
  EXPECT_LT(asked, sent);
  EXPECT_LT(asked, 2000);
  EXPECT_TRUE(bare.Until([&] {  // and is again when it reads
    bare.ReadSome();
    return bare.asked() >= sent;
  }));
  EXPECT_FALSE(bare.ended());
}

TEST(RpcConnection, TheEndOfTheInputIsSeenWhileNothingIsRead) {
  for (const bool half : {true, false}) {
    Bare bare({.max_unread_bytes = 1 << 14});
    bare.Flood();
    if (half) {
      bare.EndInput();
    } else {
      bare.CloseOurs();
    }
    EXPECT_TRUE(bare.Until([&] { return bare.ended(); }));
  }
}

TEST(RpcConnection, WhatCameBeforeTheEndIsAnsweredToWhoReads) {
  Bare bare({.max_unread_bytes = 1 << 14});
  const int sent = bare.Flood();
  EXPECT_LT(bare.asked(), sent);
  bare.EndInput();
  std::thread reader([&] {
    while (!bare.ended()) {
      if (bare.ReadSome() == 0) std::this_thread::sleep_for(1ms);
    }
  });
  reader.join();
  EXPECT_GE(bare.asked(), sent);
}

TEST(RpcConnection, ACancelComesThroughWhileUpdatesWait) {
  Bare bare({.max_queued_bytes = 1 << 14, .max_unread_bytes = 1 << 20});
  CancelSource cancel;
  std::atomic<int> said{0};
  std::thread turn([&] {
    while (!cancel.cancelled()) {
      bare.connection().Notify("update", {{"text", std::string(1000, 'u')}}, {.cancel = cancel.token()});
      ++said;
    }
    bare.connection().Notify("last", {}, {.cancel = cancel.token()});
  });
  int before = -1;
  EXPECT_TRUE(bare.Until([&] {  // it waits
    std::this_thread::sleep_for(20ms);
    return std::exchange(before, said.load()) == said;
  }));
  EXPECT_LT(said, 2000);
  bare.Flood();  // what is small is still heard
  EXPECT_GT(bare.asked(), 0);
  cancel.Cancel();
  turn.join();
}

TEST(RpcConnection, NoiseIsAnsweredAndTheSessionSurvives) {
  int to[2], from[2];
  ASSERT_EQ(::pipe(to), 0);
  ASSERT_EQ(::pipe(from), 0);
  const std::string bytes =
      "noise\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"told\",\"params\":5}\n[1]\n{\"jsonrpc\":\"2.0\",\"id\":"
      "\"a\",\"method\":\"m\"}\n";
  ASSERT_EQ(::write(to[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ::close(to[1]);
  std::vector<std::string> logged;
  {
    RpcConnection connection(to[0], from[1],
                             {.log = [&](std::string_view text) { logged.emplace_back(text); }});
    RpcHandlers handlers = Silent();
    handlers.on_request = [&](Json id, std::string, Json) { connection.Reply(id, Json::object()); };
    EXPECT_TRUE(connection.Run(handlers));
    connection.Close(10s);
  }
  ::close(from[1]);
  std::string got;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = ::read(from[0], buffer, sizeof buffer)) > 0)
    got.append(buffer, static_cast<std::size_t>(count));
  const std::vector<std::string> lines = Split(got, 1000, 10000);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(ParseJson(lines[0]).value()["error"]["code"], kRpcParseError);
  EXPECT_TRUE(ParseJson(lines[0]).value()["id"].is_null());
  EXPECT_EQ(ParseJson(lines[1]).value()["error"]["code"], kRpcInvalidRequest);
  EXPECT_EQ(lines[2], R"({"jsonrpc":"2.0","id":"a","result":{}})");
  EXPECT_EQ(logged, std::vector<std::string>{"passed over the notification told: params are an object"});
  ::close(to[0]);
  ::close(from[0]);
}

}  // namespace
}  // namespace gptoss::net
