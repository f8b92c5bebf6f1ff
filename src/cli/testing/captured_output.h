// For tests: catches what is written; can play the terminal. Any thread writes, any reads.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace gptoss::cli {

class CapturedOutput : public Output {
 public:
  explicit CapturedOutput(bool terminal = false) : Output(-1) { terminal_ = styled_ = terminal; }
  bool Write(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    text_ += bytes;
    return true;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace gptoss::cli
