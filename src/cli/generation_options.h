// What `run`, `chat` and `eval demo` share: options of a generation, loading the model, the first messages.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "harmony/conversation.h"
#include "provider/agent_provider.h"
#include "provider/generation.h"

namespace CLI {
class App;
}

namespace gptoss::cli {

// As given on the command line; what is absent is decided when the model is known.
struct GenerationArguments {
  std::string model;
  std::string effort;  // "": the setting, else medium
  std::string instructions;
  std::string tools_file;
  std::optional<double> temperature, top_p, min_p;
  std::optional<std::int32_t> top_k;
  std::optional<std::uint64_t> seed;
  std::optional<std::int64_t> max_tokens, context;
  std::optional<int> threads;
  std::optional<bool> telemetry;
  bool precise = false;
  bool show_reasoning = false;
  bool stats = false;
  bool quiet = false;
};

void AddEngineOptions(CLI::App& app, GenerationArguments& arguments);      // --context, --threads, --precise
void AddGenerationOptions(CLI::App& app, GenerationArguments& arguments);  // these and all others

// What the command line leaves open is taken from the settings, where somebody has set it there. Errors: the
// settings are broken.
Status ApplySettings(GenerationArguments& arguments);

// Everything that can be wrong without a model, checked before one is loaded.
Status CheckArguments(const GenerationArguments& arguments);

// The options of a turn. The demo answers greedily unless told otherwise: so small a model gains nothing from
// chance.
SamplingOptions SamplingFor(const GenerationArguments& arguments, bool demo);

// Loads the selected model without a provider around it, for evaluations; says on stderr that the demo
// answers (once per call, not with --quiet).
Result<std::unique_ptr<LoadedModel>> LoadSelectedModel(const GenerationArguments& arguments);

// System message (effort, today's date) and, where there are instructions or tools, the developer message.
Result<harmony::Conversation> StartConversation(const GenerationArguments& arguments);

// A JSON array of functions, each {"name", "description", "parameters"} or OpenAI's
// {"type": "function", "function": {…}}. Errors name the entry.
Result<harmony::ToolNamespace> ParseTools(std::string_view json, std::string_view file);

}  // namespace gptoss::cli
