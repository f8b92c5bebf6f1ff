#include "cli/tokenizer_option.h"

#include <CLI/CLI.hpp>

#include "cli/model_option.h"
#include "provider/load_tokenizer.h"

namespace gptoss::cli {

void AddTokenizerOptions(CLI::App& app, std::string& file, std::string& model) {
  AddModelOption(app, model);
  app.add_option("--tokenizer", file, "a tokenizer.json to use instead of a checkpoint's")
      ->type_name("FILE")
      ->check([](const std::string& text) { return text.empty() ? "the name of the file is empty" : ""; });
}

Result<std::shared_ptr<const Tokenizer>> OpenSelectedTokenizer(const std::string& file,
                                                               const std::string& model) {
  if (!file.empty()) return Tokenizer::FromFile(file);
  GPTOSS_TRY(const Checkpoint checkpoint, OpenSelectedCheckpoint(model));
  return LoadTokenizer(checkpoint);
}

}  // namespace gptoss::cli
