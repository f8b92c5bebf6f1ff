// What a session lets its user choose, as ACP's modes and config options, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "acp/types.h"
#include "agents/agent.h"
#include "agents/model_pool.h"

namespace gptoss::agents {

// Values, the mode included. Pure.
struct OptionState {
  std::string mode;
  Choices choices;
};

acp::Modes ModesOf(const AgentRegistry& registry, const std::string& current);
std::vector<acp::ConfigOption> OptionsOf(const OptionState& state, const AgentRegistry& registry,
                                         const std::vector<ModelChoice>& models);
// kInvalidArgument: no such option or value; the sentence says which there are.
Status Choose(OptionState& state, std::string_view option, std::string_view value,
              const AgentRegistry& registry, const std::vector<ModelChoice>& models);

// As they are stored: every option by its id, without the mode; "": it was never chosen.
std::vector<std::pair<std::string, std::string>> StoredOptions(const Choices& choices);
// What cannot be read stays as it is.
void ReadStoredOption(std::string_view option, std::string_view value, Choices& choices);

}  // namespace gptoss::agents
