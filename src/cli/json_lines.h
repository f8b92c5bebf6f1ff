// The commands that take a JSON value per line and answer with one per line.
#pragma once

#include <functional>

#include "base/error.h"
#include "base/json.h"

namespace gptoss::cli {

// Until stdin ends or nobody reads stdout any more; blank lines are passed over. A line without an answer
// gets
// {"error": …} and makes `exit_code` 1; the others still get theirs. Error: stdin cannot be read.
Status AnswerJsonLines(const std::function<Result<Json>(const Json& input)>& answer, int& exit_code);

}  // namespace gptoss::cli
