// What a child complained about last: its stderr read to the end, only the end kept.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

namespace gptoss {

// Reads on a thread of its own until the descriptor ends or this is destroyed. The descriptor stays its
// owner's and outlives this.
class OutputTail {
 public:
  explicit OutputTail(int descriptor, std::size_t kept_bytes = 4000);
  ~OutputTail();
  OutputTail(const OutputTail&) = delete;
  OutputTail& operator=(const OutputTail&) = delete;
  // The last line that says something; "" if nothing was said.
  std::string LastLine() const;

 private:
  void Read();
  const int descriptor_;
  const std::size_t kept_bytes_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::string text_;
  std::thread thread_;
};

}  // namespace gptoss
