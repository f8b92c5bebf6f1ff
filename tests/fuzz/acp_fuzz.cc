// Any JSON as the params of any method of ACP.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "acp/v1.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gptoss;
  const auto params = ParseJson({reinterpret_cast<const char*>(data), size});
  if (!params) return 0;
  (void)acp::v1::ReadClientTraits(*params);
  (void)acp::v1::ReadOptionValue(*params);
  (void)acp::v1::ReadPermissionOutcome(*params);
  if (const auto open = acp::v1::ReadOpenSession(*params, false, false)) {
    if (!std::filesystem::path(open->folder).is_absolute()) std::abort();
    for (const auto& server : open->mcp_servers) {
      if (server.kind == acp::McpServer::Kind::kStdio && !server.url.empty()) std::abort();
    }
  }
  if (const auto prompt = acp::v1::ReadPrompt(*params)) {
    for (const auto& block : *prompt) {
      const acp::MessageChunk chunk{
          .kind = acp::MessageKind::kUser, .message_id = "m", .text = {}, .block = block.source};
      if (acp::v1::WriteUpdate(chunk, {})["content"] != block.source) std::abort();
    }
  }
  return 0;
}
