// The provider that answers `run` and `chat`: made from the settings and the command line, loaded with
// progress, asked one turn at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/cancel.h"
#include "base/error.h"
#include "cli/generation_options.h"
#include "cli/model_option.h"
#include "provider/agent_provider.h"

namespace gptoss::cli {

struct Answering {
  SelectedModel selected;
  std::unique_ptr<GptOssAgentProvider> provider;
  std::int64_t context = 0;  // tokens, as asked for; 0: nobody did
};

// Selects the model; nothing is loaded yet. Errors: those of SelectModel and of the settings.
Result<Answering> OpenProvider(const GenerationArguments& arguments);

// The same of a model that was selected before, or of one that is not installed yet (kInstalled, its path
// "").
Result<std::unique_ptr<GptOssAgentProvider>> MakeProvider(const SelectedModel& selected,
                                                          const GenerationArguments& arguments);

// Loads it. Says on stderr who answers where nobody chose, how far a large model is (on a terminal), and what
// the memory guard has to say; nothing with --quiet. An error of a choice that came from a variable or a
// setting names that.
Status LoadShown(const Answering& answering, bool quiet, const CancelToken& cancel);

StreamOptions StreamOptionsFor(const GenerationArguments& arguments, bool demo);

// One turn, waited for on the main thread. `on_chunk` runs on a thread of the provider meanwhile; returning
// false from it ends the turn.
StreamDone RunTurn(GptOssAgentProvider& provider, const SessionId& session, std::string prompt,
                   const StreamOptions& options, const CancelToken& cancel,
                   const std::function<bool(const StreamChunk&)>& on_chunk);

}  // namespace gptoss::cli
