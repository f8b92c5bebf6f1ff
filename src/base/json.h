// JSON with the order of keys kept. A heavy header: include it in .cc files where possible.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss {

using Json = nlohmann::ordered_json;

// Never throws. Refuses nesting beyond 200 levels, so that no input can exhaust the stack, and objects of
// more than 20,000 keys, so that none takes longer than its size says.
Result<Json> ParseJson(std::string_view text);
// The string at `key`; "" where `object` is none, has no such key, or has something else there.
std::string TextOf(const Json& object, const char* key);
// One line; invalid UTF-8 inside strings is replaced, never thrown about.
std::string DumpJson(const Json& value);

}  // namespace gptoss
