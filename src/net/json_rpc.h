// JSON-RPC 2.0 over two descriptors, one object per line: both sides may ask, tell and answer. ACP and MCP
// over stdio are this. Batches are refused, as both protocols do.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"

namespace gptoss::net {

inline constexpr int kRpcParseError = -32700, kRpcInvalidRequest = -32600, kRpcMethodNotFound = -32601,
                     kRpcInvalidParams = -32602, kRpcInternalError = -32603;

struct RpcError {
  int code = kRpcInternalError;
  std::string message;
  Json data;  // null: left out
};
using RpcReply = std::expected<Json, RpcError>;

// What one line is. Ids are kept as they came: a whole number, a string or null.
struct RpcMessage {
  enum class Kind : std::uint8_t { kRequest, kNotification, kReply, kMalformed };
  Kind kind = Kind::kMalformed;
  Json id;
  std::string method;
  Json params;                                   // an object, an array or null
  RpcReply reply = std::unexpected(RpcError{});  // kReply; kMalformed: the error to answer with
  bool never_answered = false;                   // kMalformed: a notification, which is passed over
};
// Never fails: what is no message is kMalformed.
RpcMessage ReadRpcMessage(std::string_view line);

struct RpcHandlers {
  // All on the thread of Run; they must not wait for replies of the other side. Every request is answered
  // with Reply, sooner or later, on any thread.
  std::function<void(Json id, std::string method, Json params)> on_request;
  std::function<void(std::string method, Json params)> on_notification;
};

struct RpcOptions {
  std::size_t max_line_bytes = std::size_t{32} << 20;
  // From here on Notify and Call wait; replies never do.
  std::size_t max_queued_bytes = std::size_t{4} << 20;
  // From here on nothing is read: who asks and does not read the answers is not listened to until it does.
  // Beyond the other, so that a cancel still comes through while a turn waits.
  std::size_t max_unread_bytes = std::size_t{16} << 20;
  bool answer_noise = true;  // a line that is no JSON is answered with an error; false: passed over
  // Told what was passed over: a notification that cannot be read. One sentence, on the thread of Run. {}:
  // nobody.
  std::function<void(std::string_view)> log = {};
  // Nobody reads what is written any more: the same as the end of the input. false: what still comes is read.
  bool broken_output_ends = false;
};

// How long a message waits while too much is queued: that is how a slow reader slows down who writes.
struct RpcPace {
  bool wait = true;    // false: for the thread of Run, which never waits
  CancelToken cancel;  // ends the wait; it is queued all the same: there is little left to say
  std::optional<std::chrono::steady_clock::time_point> until;  // ends the wait, and it is not said
};
inline const RpcPace kAtOnce{.wait = false};

// Safe from any thread, but for Run. The descriptors stay the caller's and must outlive it.
class RpcConnection {
 public:
  RpcConnection(int read_descriptor, int write_descriptor, RpcOptions options = {});
  ~RpcConnection();  // Close
  RpcConnection(const RpcConnection&) = delete;
  RpcConnection& operator=(const RpcConnection&) = delete;

  // Reads until the input ends, the connection is closed or a line is too long (kOutOfRange); then `on_end`
  // is called (it may be empty), and every call that waits is answered with an error. While more than
  // max_unread_bytes wait to be written nothing is read; if the input ends then and none of it goes within
  // 0.1 s, that is the end too.
  Status Run(const RpcHandlers& handlers, const std::function<void()>& on_end = {});

  // In the order of these calls on the wire. Nothing happens after Close.
  void Reply(const Json& id, RpcReply reply);
  void Notify(std::string_view method, Json params, const RpcPace& pace = {});

  // `on_reply` is called exactly once: on the thread of Run, or inside this, Close or Abandon.
  using OnReply = std::function<void(RpcReply)>;
  std::int64_t Call(std::string_view method, Json params, OnReply on_reply, const RpcPace& pace = {});
  // Answers a call that waits with an error of this code; false: it was answered already.
  bool Abandon(std::int64_t call, int code, std::string_view message);

  // Waits so long for what is queued to be written, then ends everything. Not from a handler.
  void Close(std::chrono::milliseconds drain = std::chrono::milliseconds(0));
  // Makes Run return. From anywhere, handlers included.
  void StopReading();
  bool broken() const { return broken_; }  // the other side reads no more

 private:
  void Dispatch(std::string_view line, const RpcHandlers& handlers);
  bool WaitForRoom();
  bool Drains(std::size_t queued);
  void Wake() const;
  void DrainWake() const;
  bool Enqueue(std::string line, const RpcPace& pace);
  void WriteLoop();
  bool WriteAll(std::string_view bytes);
  void FailCalls();

  const int read_, write_;
  const RpcOptions options_;
  int logged_ = 0;  // on the thread of Run
  int wake_[2] = {-1, -1};
  std::atomic<bool> stop_{false}, broken_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool writing_ = false, closed_ = false, reader_waits_ = false;
  std::map<std::int64_t, OnReply> calls_;
  std::int64_t next_call_ = 1;
  std::thread writer_;
};

}  // namespace gptoss::net
