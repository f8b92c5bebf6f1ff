// What is asked of the client in a turn: permissions, files, terminals, forms. Whether the client offers it
// is the caller's to look at first.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acp/connection.h"
#include "acp/types.h"
#include "agents/agent.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"

namespace gptoss::agents {

// One session's. Safe from any thread; the connection must outlive it, and what it opened too.
class ClientCalls {
 public:
  // `patience`: for what no person does; people are waited for.
  ClientCalls(acp::Connection& connection, std::string session,
              std::chrono::milliseconds patience = std::chrono::seconds(10))
      : connection_(connection), session_(std::move(session)), patience_(patience) {}

  // `trace`: goes with the question as its `_meta`; null: none.
  acp::PermissionOutcome AskPermission(const acp::ToolCall& call,
                                       const std::vector<acp::PermissionOption>& options, const Json& trace,
                                       const CancelToken& cancel) const;
  acp::FormOutcome AskForm(const acp::Form& form, const CancelToken& cancel) const;
  Result<std::string> ReadFile(const std::string& path, const CancelToken& cancel) const;
  Status WriteFile(const std::string& path, std::string_view text, const CancelToken& cancel) const;
  Result<std::unique_ptr<ClientTerminal>> OpenTerminal(const acp::TerminalCommand& command,
                                                       const CancelToken& cancel) const;

 private:
  acp::Connection& connection_;
  const std::string session_;
  const std::chrono::milliseconds patience_;
};

}  // namespace gptoss::agents
