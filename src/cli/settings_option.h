// How commands get at the settings: the files, the environment and `gptoss --set NAME=VALUE COMMAND`.
#pragma once

#include "base/error.h"
#include "settings/settings.h"

namespace CLI {
class App;
}

namespace gptoss::cli {

// Adds --set to the program; it stands before the command and holds for whatever command follows.
void AddSetOption(CLI::App& app);

// Where the settings of this call come from, --set included. Main thread.
Result<SettingsInput> CurrentSettingsInput();
// Read anew each time. Strict: for commands that act on settings. Unknown keys are remarked on stderr, once
// per process, unless `quiet`.
Result<Settings::Pointer> LoadSettings(bool quiet);

}  // namespace gptoss::cli
