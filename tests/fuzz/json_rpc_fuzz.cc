// Any bytes as what comes over a connection. The first byte is the size of the pieces in which it comes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/json_rpc.h"
#include "net/line_splitter.h"

namespace {

std::vector<std::string> Lines(std::string_view bytes, std::size_t piece) {
  gptoss::net::LineSplitter splitter(1 << 16);
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    if (!splitter.Push(bytes.substr(at, piece), take)) return {};
  }
  splitter.Finish(take);
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::string> lines = Lines(bytes, std::size_t{data[0]} + 1);
  if (lines != Lines(bytes, bytes.size() + 1)) std::abort();
  for (const std::string& line : lines) {
    if (line.find('\n') != std::string::npos) std::abort();
    const auto message = gptoss::net::ReadRpcMessage(line);
    using Kind = gptoss::net::RpcMessage::Kind;
    if (message.kind == Kind::kRequest || message.kind == Kind::kNotification) {
      if (!message.params.is_null() && !message.params.is_structured()) std::abort();
    }
    if (message.kind == Kind::kMalformed && message.reply.has_value()) std::abort();
    if (gptoss::DumpJson(message.id).empty()) std::abort();
  }
  return 0;
}
