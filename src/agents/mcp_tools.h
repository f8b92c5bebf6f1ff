// The MCP servers that a client names for a session, and their tools for the model.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "acp/types.h"
#include "agents/agent.h"
#include "agents/toolbox.h"
#include "base/cancel.h"

namespace gptoss::agents {

// Starts connecting at once, each server on a thread of its own. Used by one thread.
class McpServers {
 public:
  McpServers(const std::vector<acp::McpServer>& servers, const std::string& folder,
             const std::string& version);
  ~McpServers();  // ends them
  McpServers(const McpServers&) = delete;
  McpServers& operator=(const McpServers&) = delete;

  // Waits until every server has answered or failed, and puts the tools of those that answered into
  // `toolbox`. Each failure is told once; none stops a turn.
  void Join(Toolbox& toolbox, TurnSink& sink, const CancelToken& cancel);
  // For a model that is not given their tools: tells those that have failed by now, and waits for none.
  void TellFailures(TurnSink& sink);
  // A line of Markdown for each server: starting, failed and why, or how many tools it has; "": there is
  // none.
  std::string StatusText() const;

 private:
  struct Server;
  std::string folder_;
  CancelSource cancel_;
  std::vector<std::shared_ptr<Server>> servers_;
};

// "mcp__server__tool", of characters that a function's name may have.
std::string McpToolName(const std::string& server, const std::string& tool);

}  // namespace gptoss::agents
