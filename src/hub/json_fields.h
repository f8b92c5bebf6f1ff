// As TextOf of base/json.h, for arrays: a member that is missing or of another kind is empty.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace gptoss::hub {

// The strings of an array; what else it holds is left out.
std::vector<std::string> TextsOf(const Json& object, const char* key);

}  // namespace gptoss::hub
