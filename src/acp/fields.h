// Reading what the other side of a connection sent.
#pragma once

#include <string>

#include "base/json.h"

namespace gptoss::acp {

// The string at `key`; "" where `object` is none, has no such key, or has something else there.
inline std::string TextOf(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace gptoss::acp
