// Server-sent events: bytes as they come -> the data of each event.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss::mcp {

// One thread. Names, ids and comments are passed over.
class EventStream {
 public:
  using OnData = std::function<void(std::string_view data)>;
  // kOutOfRange: an event larger than 32 MiB.
  Status Push(std::string_view bytes, const OnData& on_data);
  void Finish(const OnData& on_data);  // an event that nothing ended is none, but servers send it

 private:
  void Line(std::string_view line, const OnData& on_data);
  std::string held_, data_;
  bool has_data_ = false, after_return_ = false;
};

}  // namespace gptoss::mcp
