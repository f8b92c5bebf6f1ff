// JSON spelled as serde_json spells it, since defaults in tool schemas reach the model in that spelling.
#pragma once

#include <string>

#include "base/json.h"

namespace gptoss::harmony {

// One line without blanks; keys in their order; 1.0 stays 1.0. Never throws.
std::string CompactJson(const Json& value);

// Shortest digits that read back the same, laid out as the Rust crate `ryu` does: "0.1", "1.0", "1e16".
std::string SpellDouble(double value);

}  // namespace gptoss::harmony
