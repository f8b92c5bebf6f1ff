// How every command lets its user select a checkpoint: -m PATH, else GPTOSS_MODEL, else the
// setting model.default, else the embedded demo.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "model/checkpoint.h"

namespace CLI {
class App;
}

namespace gptoss::cli {

// Adds -m/--model PATH to a command.
void AddModelOption(CLI::App& app, std::string& path);

// The path that counts: `path` (of -m), else the setting model.default (GPTOSS_MODEL is its variable);
// nullopt: the embedded demo. An empty value counts as none, so that `GPTOSS_MODEL= gptoss …` takes the demo.
std::optional<std::string> SelectedModelPath(const std::string& path);

// Opens what SelectedModelPath says. The error of a path from the settings names the variable, or
// file and line; settings that are broken are an error where they count.
Result<Checkpoint> OpenSelectedCheckpoint(const std::string& path);

}  // namespace gptoss::cli
