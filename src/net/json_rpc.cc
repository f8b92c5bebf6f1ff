#include "net/json_rpc.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "net/line_splitter.h"
#include "platform/system.h"

namespace gptoss::net {
namespace {

constexpr int kConnectionClosed = -32603;
constexpr auto kLook = std::chrono::milliseconds(20);             // so often the cancel token is looked at
constexpr auto kHungUpPatience = std::chrono::milliseconds(100);  // for a reader that has ended its input
#ifdef POLLRDHUP
constexpr short kHungUp = POLLRDHUP;  // one half of a socket is closed
#else
constexpr short kHungUp = 0;
#endif

constexpr int kMostLogged = 20;  // lines: nobody may be reading them

bool GoodId(const Json& id) { return id.is_number_integer() || id.is_string() || id.is_null(); }

RpcMessage Malformed(int code, std::string message, Json id = nullptr) {
  RpcMessage bad;
  bad.id = std::move(id);
  bad.reply = std::unexpected(RpcError{.code = code, .message = std::move(message), .data = nullptr});
  return bad;
}

RpcMessage BadParams(RpcMessage message, bool has_id) {
  RpcMessage bad = Malformed(kRpcInvalidRequest, "params are an object", std::move(message.id));
  bad.method = std::move(message.method);
  bad.never_answered = !has_id;
  return bad;
}

RpcError ReadError(const Json& json) {
  RpcError error;
  if (!json.is_object()) {
    error.message = "the other side sent an error that is no object";
    return error;
  }
  if (const auto code = json.find("code"); code != json.end() && code->is_number_integer()) {
    const auto value = code->get<std::int64_t>();
    if (value >= INT32_MIN && value <= INT32_MAX) error.code = static_cast<int>(value);
  }
  if (const auto text = json.find("message"); text != json.end() && text->is_string())
    error.message = text->get<std::string>();
  if (const auto data = json.find("data"); data != json.end()) error.data = *data;
  return error;
}

RpcMessage ReadReply(const Json& object, RpcMessage message) {
  const auto result = object.find("result"), error = object.find("error");
  if ((result == object.end()) == (error == object.end()))
    return Malformed(kRpcInvalidRequest, "a message has a method, or either a result or an error");
  message.kind = RpcMessage::Kind::kReply;
  if (error != object.end()) {
    message.reply = std::unexpected(ReadError(*error));
  } else {
    message.reply = *result;
  }
  return message;
}

Json Envelope() { return Json{{"jsonrpc", "2.0"}}; }

}  // namespace

RpcMessage ReadRpcMessage(std::string_view line) {
  const auto parsed = ParseJson(line);
  if (!parsed) return Malformed(kRpcParseError, parsed.error().message);
  const Json& object = *parsed;
  if (object.is_array())
    return Malformed(kRpcInvalidRequest, "batches are not spoken here; send one object per line");
  if (!object.is_object()) return Malformed(kRpcInvalidRequest, "a message is a JSON object");
  RpcMessage message;
  const auto id = object.find("id");
  if (id != object.end()) {
    if (!GoodId(*id)) return Malformed(kRpcInvalidRequest, "an id is a whole number, a string or null");
    message.id = *id;
  }
  const auto version = object.find("jsonrpc");
  if (version == object.end() || *version != "2.0")
    return Malformed(kRpcInvalidRequest, "a message says \"jsonrpc\":\"2.0\"", message.id);
  const auto method = object.find("method");
  if (method == object.end()) return ReadReply(object, std::move(message));
  if (!method->is_string()) return Malformed(kRpcInvalidRequest, "a method is a string", message.id);
  message.method = method->get<std::string>();
  if (const auto params = object.find("params"); params != object.end()) message.params = *params;
  if (!message.params.is_null() && !message.params.is_structured())
    return BadParams(std::move(message), id != object.end());
  message.kind = id == object.end() ? RpcMessage::Kind::kNotification : RpcMessage::Kind::kRequest;
  return message;
}

RpcConnection::RpcConnection(int read_descriptor, int write_descriptor, RpcOptions options)
    : read_(read_descriptor), write_(write_descriptor), options_(std::move(options)) {
  if (::pipe(wake_) == 0) {
    for (const int end : wake_) {
      ::fcntl(end, F_SETFD, FD_CLOEXEC);
      ::fcntl(end, F_SETFL, O_NONBLOCK);
    }
  }
  writer_ = std::thread([this] { WriteLoop(); });
}

RpcConnection::~RpcConnection() {
  Close();
  for (const int end : wake_) {
    if (end >= 0) ::close(end);
  }
}

Status RpcConnection::Run(const RpcHandlers& handlers, const std::function<void()>& on_end) {
  LineSplitter lines(options_.max_line_bytes);
  bool heard = true;
  const LineSplitter::OnLine on_line = [&](std::string_view line) {
    heard = heard && WaitForRoom();
    if (heard) Dispatch(line, handlers);
  };
  std::vector<char> buffer(std::size_t{64} << 10);
  Status status;
  while (!stop_ && heard && status) {
    pollfd wanted[2] = {{.fd = read_, .events = POLLIN, .revents = 0},
                        {.fd = wake_[0], .events = POLLIN, .revents = 0}};
    if (::poll(wanted, 2, -1) < 0 && errno != EINTR) break;
    if (stop_) break;
    if (wanted[1].revents != 0) DrainWake();
    if ((wanted[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) == 0) continue;
    const ssize_t got = ::read(read_, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) {
      lines.Finish(on_line);
      break;
    }
    status = lines.Push({buffer.data(), static_cast<std::size_t>(got)}, on_line);
  }
  if (on_end) on_end();
  FailCalls();
  return status;
}

// False: nothing more is to be read.
bool RpcConnection::WaitForRoom() {
  while (!stop_) {
    std::size_t queued = 0;
    {
      std::lock_guard lock(mutex_);
      queued = queued_bytes_;
      reader_waits_ = queued >= options_.max_unread_bytes && !broken_;
      if (!reader_waits_) return true;
    }
    // The end of the input is seen without reading what comes before it.
    pollfd wanted[2] = {{.fd = read_, .events = kHungUp, .revents = 0},
                        {.fd = wake_[0], .events = POLLIN, .revents = 0}};
    if (::poll(wanted, 2, -1) < 0 && errno != EINTR) return false;
    if (wanted[1].revents != 0) DrainWake();
    if (wanted[0].revents != 0 && !stop_ && !Drains(queued)) return false;
  }
  return false;
}

// Whether somebody still reads what is written.
bool RpcConnection::Drains(std::size_t queued) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kHungUpPatience, [&] { return queued_bytes_ < queued || closed_; });
}

void RpcConnection::DrainWake() const {
  char bytes[64];
  while (::read(wake_[0], bytes, sizeof bytes) > 0) continue;
}

void RpcConnection::Dispatch(std::string_view line, const RpcHandlers& handlers) {
  RpcMessage message = ReadRpcMessage(line);
  switch (message.kind) {
    case RpcMessage::Kind::kRequest:
      handlers.on_request(std::move(message.id), std::move(message.method), std::move(message.params));
      return;
    case RpcMessage::Kind::kNotification:
      handlers.on_notification(std::move(message.method), std::move(message.params));
      return;
    case RpcMessage::Kind::kMalformed:
      if (message.never_answered) {
        if (options_.log && logged_++ < kMostLogged)
          options_.log(fmt::format("passed over the notification {}: {}",
                                   Excerpt(message.method, kMessageBytes), message.reply.error().message));
      } else if (options_.answer_noise) {
        Reply(message.id, std::move(message.reply));
      }
      return;
    case RpcMessage::Kind::kReply:
      break;
  }
  OnReply on_reply;
  {
    std::lock_guard lock(mutex_);
    const auto call =
        message.id.is_number_integer() ? calls_.find(message.id.get<std::int64_t>()) : calls_.end();
    if (call == calls_.end()) return;  // of a call that was abandoned, or of none
    on_reply = std::move(call->second);
    calls_.erase(call);
  }
  on_reply(std::move(message.reply));
}

void RpcConnection::Reply(const Json& id, RpcReply reply) {
  Json line = Envelope();
  line["id"] = id;
  if (reply) {
    line["result"] = std::move(*reply);
  } else {
    line["error"] = Json{{"code", reply.error().code}, {"message", reply.error().message}};
    if (!reply.error().data.is_null()) line["error"]["data"] = reply.error().data;
  }
  Enqueue(DumpJson(line), kAtOnce);
}

void RpcConnection::Notify(std::string_view method, Json params, const RpcPace& pace) {
  Json line = Envelope();
  line["method"] = method;
  line["params"] = std::move(params);
  Enqueue(DumpJson(line), pace);
}

std::int64_t RpcConnection::Call(std::string_view method, Json params, OnReply on_reply,
                                 const RpcPace& pace) {
  std::int64_t id = 0;
  bool open = false;
  {
    std::lock_guard lock(mutex_);
    id = next_call_++;
    open = !closed_ && !stop_ && !broken_;
    if (open) calls_.emplace(id, on_reply);
  }
  if (!open) {
    on_reply(std::unexpected(
        RpcError{.code = kConnectionClosed, .message = "the connection is closed", .data = nullptr}));
    return id;
  }
  Json line = Envelope();
  line["id"] = id;
  line["method"] = method;
  line["params"] = std::move(params);
  if (!Enqueue(DumpJson(line), pace)) Abandon(id, kRpcInternalError, "it does not read what it is sent");
  return id;
}

bool RpcConnection::Abandon(std::int64_t call, int code, std::string_view message) {
  OnReply on_reply;
  {
    std::lock_guard lock(mutex_);
    const auto found = calls_.find(call);
    if (found == calls_.end()) return false;
    on_reply = std::move(found->second);
    calls_.erase(found);
  }
  on_reply(std::unexpected(RpcError{.code = code, .message = std::string(message), .data = nullptr}));
  return true;
}

void RpcConnection::FailCalls() {
  std::map<std::int64_t, OnReply> calls;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    calls.swap(calls_);
  }
  for (auto& [id, on_reply] : calls) {
    on_reply(std::unexpected(
        RpcError{.code = kConnectionClosed, .message = "the connection is closed", .data = nullptr}));
  }
}

// False: it could not be said in time.
bool RpcConnection::Enqueue(std::string line, const RpcPace& pace) {
  line += '\n';
  std::unique_lock lock(mutex_);
  const auto full = [&] { return !closed_ && !broken_ && queued_bytes_ >= options_.max_queued_bytes; };
  while (pace.wait && full() && !pace.cancel.cancelled()) {
    if (pace.until && std::chrono::steady_clock::now() >= *pace.until) return false;
    changed_.wait_for(lock, kLook);
  }
  if (closed_ || broken_) return true;
  queued_bytes_ += line.size();
  queue_.push_back(std::move(line));
  lock.unlock();
  changed_.notify_all();
  return true;
}

void RpcConnection::WriteLoop() {
  NameThisThread("gptoss-writer");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closed_ || !queue_.empty(); });
    if (closed_) return;
    const std::string line = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    lock.unlock();
    const bool written = WriteAll(line);
    lock.lock();
    writing_ = false;
    queued_bytes_ -= line.size();
    if (!written) {
      broken_ = true;
      queue_.clear();
      queued_bytes_ = 0;
      if (options_.broken_output_ends) StopReading();
    }
    // Not at the first free byte: it would stop again at the next answer.
    if (reader_waits_ && (broken_ || queued_bytes_ <= options_.max_unread_bytes / 2)) {
      reader_waits_ = false;
      Wake();
    }
    changed_.notify_all();
  }
}

// In pieces that a pipe takes without waiting once it says that it has room: closing never hangs here.
bool RpcConnection::WriteAll(std::string_view bytes) {
  constexpr std::size_t kPiece = 4096;
  while (!bytes.empty()) {
    pollfd wanted{.fd = write_, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&wanted, 1, 100);
    {
      std::lock_guard lock(mutex_);
      if (closed_) return false;
    }
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    if (ready < 0 || (wanted.revents & (POLLERR | POLLNVAL)) != 0) return false;
    const ssize_t put = ::write(write_, bytes.data(), std::min(bytes.size(), kPiece));
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

void RpcConnection::Wake() const {
  const char byte = 0;
  if (::write(wake_[1], &byte, 1) < 0) return;  // full: it is awake anyhow
}

void RpcConnection::StopReading() {
  stop_ = true;
  Wake();
}

void RpcConnection::Close(std::chrono::milliseconds drain) {
  StopReading();
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, drain, [&] { return closed_ || broken_ || (queue_.empty() && !writing_); });
    closed_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
  FailCalls();
}

}  // namespace gptoss::net
