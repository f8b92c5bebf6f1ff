// The tokenizer that a checkpoint carries.
#pragma once

#include <memory>

#include "base/error.h"
#include "model/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace gptoss {

// kFailedPrecondition where the checkpoint has none.
Result<std::shared_ptr<const Tokenizer>> LoadTokenizer(const Checkpoint& checkpoint);

}  // namespace gptoss
