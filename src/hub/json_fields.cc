#include "hub/json_fields.h"

namespace gptoss::hub {

std::vector<std::string> TextsOf(const Json& object, const char* key) {
  std::vector<std::string> texts;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return texts;
  for (const Json& entry : *found)
    if (entry.is_string()) texts.push_back(entry.get<std::string>());
  return texts;
}

}  // namespace gptoss::hub
