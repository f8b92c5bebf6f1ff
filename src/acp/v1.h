// Protocol version 1 as JSON: writing what we send, reading what we are sent. Readers are strict where a
// mistake would be acted on, and pass over what they do not know. Pure functions.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "acp/types.h"
#include "base/error.h"
#include "base/json.h"
#include "net/json_rpc.h"

namespace gptoss::acp::v1 {

inline constexpr int kVersion = 1;
inline constexpr int kAuthRequired = -32000, kResourceNotFound = -32002, kRequestCancelled = -32800;

// ---- from the client; kInvalidArgument names the field
// -----------------------------------------------------
ClientTraits ReadClientTraits(const Json& initialize);  // what is malformed counts as not announced
Result<std::string> ReadText(const Json& params, std::string_view key);  // a string that must be there
// `needs_servers`: mcpServers must be there; `needs_id`: so must sessionId.
Result<OpenSession> ReadOpenSession(const Json& params, bool needs_id, bool needs_servers);
Result<ListFilter> ReadListFilter(const Json& params);
Result<std::vector<ContentBlock>> ReadPrompt(const Json& params);
// A string or a switch's value, as "on" and "off".
Result<std::string> ReadOptionValue(const Json& params);
PermissionOutcome ReadPermissionOutcome(const net::RpcReply& reply);
FormOutcome ReadFormOutcome(const Json& result);
TerminalExit ReadTerminalExit(const Json& result);  // neither code nor signal: it did not say
Result<TerminalOutput> ReadTerminalOutput(const Json& result);
// What of `_meta` is for tracing (W3C: traceparent, tracestate, baggage); null: nothing.
Json ReadTraceContext(const Json& params);

// ---- to the client
// -----------------------------------------------------------------------------------------
std::string_view StopReasonName(StopReason reason);
// The value of "update" in session/update.
Json WriteUpdate(const Update& update, const ClientTraits& client);
Json WriteToolCall(const ToolCall& call);  // as ToolCallUpdate, for permission requests
Json WriteModes(const Modes& modes);
Json WriteOptions(const std::vector<ConfigOption>& options, const ClientTraits& client);
Json WritePermissionOptions(const std::vector<PermissionOption>& options);
Json WriteForm(const Form& form, const std::string& session);
Json WriteTerminalCommand(const TerminalCommand& command, const std::string& session);
Json WriteSessionEntry(const SessionEntry& entry);
net::RpcError RpcErrorOf(const Error& error, Json data = nullptr);

}  // namespace gptoss::acp::v1
