// A web server for tests, on 127.0.0.1 with a port of its own: one thread per connection, answers by a
// function. It says exactly what it is told, faults included; nothing of it is fit for a network.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gptoss::net::testing {

struct TestRequest {
  std::string method, target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  int number = 0;  // of the request at this server, from 1
  int connection = 0;
};

struct TestResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool send_length = true;                // Content-Length: the whole body's
  std::uint64_t stop_after = UINT64_MAX;  // body bytes; then the connection ends
  bool reset = false;                     // ends by RST instead of FIN
  int hold_ms = 0;                        // silence before ending, after stop_after bytes
  int pause_ms = 0;                       // after every `pause_bytes` of the body
  std::uint64_t pause_bytes = 0;
  std::string raw;  // instead of all the above
};

class TestServer {
 public:
  using Handler = std::function<TestResponse(const TestRequest&)>;
  explicit TestServer(Handler handler);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::string url(const std::string& target = "") const;  // "http://127.0.0.1:PORT" + target
  int port() const { return port_; }
  std::vector<TestRequest> requests() const;
  int connections() const { return connections_.load(); }
  std::uint64_t body_bytes_sent() const { return sent_.load(); }

 private:
  void Accept();
  void Serve(int fd, int connection);
  bool Send(int fd, const TestRequest& request, const TestResponse& response);

  const Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0}, count_{0};
  std::atomic<std::uint64_t> sent_{0};
  mutable std::mutex mutex_;
  std::vector<TestRequest> requests_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// The answer to a GET or HEAD of `content`, with ranges as RFC 9110 has them (one range only).
TestResponse ServeContent(const TestRequest& request, const std::string& content);

}  // namespace gptoss::net::testing
