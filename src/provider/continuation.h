// Makes a model answer that stopped without an answer: what it wrote so far, closed properly, and the header
// of a final message, inside which it goes on.
#pragma once

#include <span>
#include <vector>

#include "harmony/parser.h"
#include "tokenizer/tokenizer.h"

namespace gptoss {

// `prompt` ends in "<|start|>assistant", `generated` are the ids sampled after it and `parser` what they
// were read as. Sampled ids are kept as they are where they are well-formed, so that the engine has read them
// already; otherwise the messages are written anew. Messages on final and calls are left out.
std::vector<TokenId> ContinueInFinal(std::span<const TokenId> prompt, std::span<const TokenId> generated,
                                     const harmony::StreamParser& parser, const Tokenizer& tokenizer);

}  // namespace gptoss
