// GPT-OSS as a coding agent.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agents/agent.h"
#include "agents/model_pool.h"

namespace gptoss::agents {

struct GptOssAgentOptions {
  std::string version;          // of the program, for MCP servers
  int max_calls = 50;           // of the model in one turn
  std::int64_t max_tokens = 0;  // of one call; 0: no limit
};

// `pool` must outlive the agent and its sessions.
std::unique_ptr<Agent> MakeGptOssAgent(ModelPool& pool, const GptOssAgentOptions& options);

}  // namespace gptoss::agents
