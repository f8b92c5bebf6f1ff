// What the protocol's messages say. Pure functions; of this room only, and for its tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "mcp/client.h"

namespace gptoss::mcp {

inline constexpr std::string_view kProtocolVersion = "2025-06-18";

Json InitializeParams(std::string_view program_version);
// kUnsupported: a version that this does not speak. The version that is agreed on.
Result<std::string> ReadInitializeResult(const Json& result);
// One page of tools/list, appended; the next cursor, "" at the end. What is malformed is left out.
std::string ReadToolPage(const Json& result, std::vector<ToolInfo>& tools);
CallResult ReadCallResult(const Json& result);

}  // namespace gptoss::mcp
