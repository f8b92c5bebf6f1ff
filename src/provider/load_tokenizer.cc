#include "provider/load_tokenizer.h"

#include <fmt/format.h>

#include <vector>

namespace gptoss {

Result<std::shared_ptr<const Tokenizer>> LoadTokenizer(const Checkpoint& checkpoint) {
  const std::string& name = checkpoint.model->name;
  if (!checkpoint.tokenizer) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{}: no tokenizer.json; a checkpoint needs one to read and write text", name));
  }
  const TokenizerSource& source = *checkpoint.tokenizer;
  if (source.json != nullptr) return Tokenizer::FromJson(source.json->text(), source.json->name());
  std::vector<GgufToken> tokens;
  tokens.reserve(source.gguf_tokens.size());
  for (const TokenizerSource::Token& token : source.gguf_tokens) tokens.push_back({token.text, token.type});
  return Tokenizer::FromGguf(tokens, name);
}

}  // namespace gptoss
