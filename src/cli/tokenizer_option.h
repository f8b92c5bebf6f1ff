// How `tokenize` and `harmony` select a tokenizer: --tokenizer FILE, else that of the selected checkpoint.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "tokenizer/tokenizer.h"

namespace CLI {
class App;
}

namespace gptoss::cli {

void AddTokenizerOptions(CLI::App& app, std::string& file, std::string& model);
Result<std::shared_ptr<const Tokenizer>> OpenSelectedTokenizer(const std::string& file,
                                                               const std::string& model);

}  // namespace gptoss::cli
