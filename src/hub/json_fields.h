// Members of a JSON object that may be missing or of another kind: then they are empty.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace gptoss::hub {

std::string TextOf(const Json& object, const char* key);
// The strings of an array; what else it holds is left out.
std::vector<std::string> TextsOf(const Json& object, const char* key);

}  // namespace gptoss::hub
