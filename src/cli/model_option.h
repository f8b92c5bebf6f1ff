// How every command lets its user select a model: -m NAME or PATH, else GPTOSS_MODEL, else the setting
// model.default, else an installed model, else the embedded demo.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "model/checkpoint.h"

namespace CLI {
class App;
}

namespace gptoss::cli {

// Adds -m/--model MODEL to a command.
void AddModelOption(CLI::App& app, std::string& model);

inline constexpr const char* kDemoName = "demo";

struct SelectedModel {
  enum class Kind : std::uint8_t { kDemo, kPath, kInstalled };
  Kind kind = Kind::kDemo;
  std::string name;            // "demo", the path as given, the installed model's name
  std::filesystem::path path;  // what OpenCheckpoint opens; "" for the demo
  bool chosen = false;         // somebody said it; false: nobody did, and this is what there is
  std::string origin;          // "GPTOSS_MODEL" or "model.default" where the choice came from there

  bool demo() const { return kind == Kind::kDemo; }
};

// `model`: the value of -m; "" if there was none. An empty GPTOSS_MODEL counts as none. A path that exists
// goes before a name; "demo" is the embedded demo. An installed model that is damaged or incomplete is
// kDataLoss, with the command that repairs it; a name that nobody knows is kNotFound, with the one that
// installs it.
Result<SelectedModel> SelectModel(const std::string& model);

// Opens it. The error of a choice that came from a variable or a setting names that.
Result<Checkpoint> OpenSelected(const SelectedModel& selected);
Result<Checkpoint> OpenSelectedCheckpoint(const std::string& model);

// May it be loaded here? kPermissionDenied with the policy's rule and its file. The demo may always.
Status CheckAllowed(const SelectedModel& selected);

// One sentence about who answers when nobody chose; "" where somebody did.
std::string SelectionNotice(const SelectedModel& selected);

}  // namespace gptoss::cli
