#include "net/testing/test_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>

namespace gptoss::net::testing {
namespace {

// The head up to the empty line, and what of the body came with it; false when the peer is gone.
bool ReadHead(int fd, std::string& buffer, const std::atomic<bool>& stop) {
  while (buffer.find("\r\n\r\n") == std::string::npos) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, 20) == 0) {
      if (stop) return false;
      continue;
    }
    char block[4096];
    const ssize_t got = ::recv(fd, block, sizeof block, 0);
    if (got <= 0) return false;
    buffer.append(block, static_cast<std::size_t>(got));
  }
  return true;
}

TestRequest ParseHead(const std::string& head) {
  TestRequest request;
  std::size_t start = head.find("\r\n");
  const std::string first = head.substr(0, start);
  request.method = first.substr(0, first.find(' '));
  request.target = first.substr(request.method.size() + 1, first.rfind(' ') - request.method.size() - 1);
  while (start != std::string::npos && start + 2 < head.size()) {
    const std::size_t end = head.find("\r\n", start + 2);
    const std::string line = head.substr(start + 2, end == std::string::npos ? end : end - start - 2);
    start = end;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    request.headers[name] = value == std::string::npos ? "" : line.substr(value);
  }
  return request;
}

}  // namespace

TestServer::TestServer(Handler handler) : handler_(std::move(handler)) {
  std::signal(SIGPIPE, SIG_IGN);
  listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  socklen_t length = sizeof address;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  ::listen(listener_, 64);
  acceptor_ = std::thread([this] { Accept(); });
}

TestServer::~TestServer() {
  stop_ = true;
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

std::string TestServer::url(const std::string& target) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, target);
}

std::vector<TestRequest> TestServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void TestServer::Accept() {
  while (!stop_) {
    pollfd wait{listener_, POLLIN, 0};
    if (::poll(&wait, 1, 20) <= 0) continue;
    const int fd = ::accept(listener_, nullptr, nullptr);
    if (fd < 0) continue;
    const int now = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    const int connection = ++connections_;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd, connection] { Serve(fd, connection); });
  }
}

void TestServer::Serve(int fd, int connection) {
  std::string buffer;
  while (!stop_ && ReadHead(fd, buffer, stop_)) {
    const std::size_t end = buffer.find("\r\n\r\n");
    TestRequest request = ParseHead(buffer.substr(0, end));
    buffer.erase(0, end + 4);
    const auto length = request.headers.find("content-length");
    const std::size_t wanted = length == request.headers.end() ? 0 : std::stoul(length->second);
    while (buffer.size() < wanted) {
      char block[4096];
      const ssize_t got = ::recv(fd, block, sizeof block, 0);
      if (got <= 0) break;
      buffer.append(block, static_cast<std::size_t>(got));
    }
    request.body = buffer.substr(0, wanted);
    buffer.erase(0, wanted);
    request.number = ++count_;
    request.connection = connection;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    if (!Send(fd, request, handler_(request))) break;
  }
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

bool TestServer::Send(int fd, const TestRequest& request, const TestResponse& response) {
  const auto send = [fd](std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), 0);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  };
  if (!response.raw.empty()) {
    send(response.raw);
    return false;
  }
  std::string head = fmt::format("HTTP/1.1 {} Status\r\n", response.status);
  for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (response.send_length) head += fmt::format("Content-Length: {}\r\n", response.body.size());
  if (!send(head + "\r\n")) return false;
  if (request.method == "HEAD") return response.send_length;
  std::string_view body = response.body;
  body = body.substr(0, std::min<std::uint64_t>(body.size(), response.stop_after));
  const std::uint64_t step = response.pause_bytes > 0 ? response.pause_bytes : 1 << 16;
  while (!body.empty() && !stop_) {
    const std::string_view piece = body.substr(0, std::min<std::uint64_t>(step, body.size()));
    if (!send(piece)) return false;
    sent_ += piece.size();
    body.remove_prefix(piece.size());
    if (response.pause_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(response.pause_ms));
  }
  for (int waited = 0; waited < response.hold_ms && !stop_; waited += 10) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (response.reset) {
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return false;
  }
  return response.send_length && response.stop_after >= response.body.size();
}

TestResponse ServeContent(const TestRequest& request, const std::string& content) {
  TestResponse response;
  const auto range = request.headers.find("range");
  if (range == request.headers.end()) {
    response.body = content;
    return response;
  }
  const std::string text = range->second.substr(6);  // after "bytes="
  const std::size_t dash = text.find('-');
  const std::size_t first = std::stoull(text.substr(0, dash));
  const std::size_t last = dash + 1 < text.size() ? std::stoull(text.substr(dash + 1)) : content.size() - 1;
  if (first >= content.size()) {
    response.status = 416;
    response.headers = {{"Content-Range", fmt::format("bytes */{}", content.size())}};
    return response;
  }
  const std::size_t end = std::min(last, content.size() - 1);
  response.status = 206;
  response.headers = {{"Content-Range", fmt::format("bytes {}-{}/{}", first, end, content.size())}};
  response.body = content.substr(first, end - first + 1);
  return response;
}

}  // namespace gptoss::net::testing
