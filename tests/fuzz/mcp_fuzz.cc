// Any bytes as what a server of tools sends: events, and the results in them. The first byte cuts the stream.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/event_stream.h"
#include "mcp/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gptoss;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = std::size_t{data[0]} + 1;
  std::vector<std::string> whole, cut;
  mcp::EventStream one, many;
  (void)one.Push(bytes, [&](std::string_view event) { whole.emplace_back(event); });
  one.Finish([&](std::string_view event) { whole.emplace_back(event); });
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    (void)many.Push(bytes.substr(at, piece), [&](std::string_view event) { cut.emplace_back(event); });
  many.Finish([&](std::string_view event) { cut.emplace_back(event); });
  if (whole != cut) std::abort();
  if (const auto json = ParseJson(bytes)) {
    std::vector<mcp::ToolInfo> tools;
    (void)mcp::ReadToolPage(*json, tools);
    for (const mcp::ToolInfo& tool : tools) {
      if (tool.name.empty() || !tool.input_schema.is_object()) std::abort();
    }
    (void)mcp::ReadCallResult(*json);
    (void)mcp::ReadInitializeResult(*json);
  }
  return 0;
}
