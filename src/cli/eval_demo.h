// gptoss eval demo: is the answer right, is the Harmony well-formed? Numbers per category.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "harmony/conversation.h"
#include "provider/generation.h"

namespace CLI {
class App;
}

namespace gptoss::cli {

void AddEvalDemoCommand(CLI::App& eval, int& exit_code);

// One line of the file; docs/cli.md describes it.
struct EvalCase {
  std::string id, category;
  harmony::Conversation conversation;
  bool wants_call = false;
  std::vector<std::vector<std::string>> contains_any;  // kind "final"
  std::string recipient;                               // kind "tool_call"
  Json arguments;
};
Result<EvalCase> ParseEvalCase(std::string_view line);

// Why the turn is not right or not well-formed; "" if it is.
std::string WhyWrong(const EvalCase& expected, const TurnResult& result);
std::string WhyMalformed(const TurnResult& result);

}  // namespace gptoss::cli
