#include "base/json.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/text.h"

namespace gptoss {
namespace {

constexpr std::size_t kMaxDepth = 200;
// Keys keep their order in a list, and each new one is looked for in it: 20,000 take 0.2 s, 80,000 took 20.
constexpr int kMaxKeys = 20'000;

// What is wrong with the shape of it, looked for in the raw text before the recursive builder sees that; "":
// nothing.
std::string BadShape(std::string_view text) {
  std::vector<int> keys;  // of each object that is open; 0 for an array
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '\0') return "not valid JSON: a NUL byte";  // the library would take it for the end
    if (c == '{' || c == '[') {
      if (keys.size() == kMaxDepth) return fmt::format("JSON nested deeper than {} levels", kMaxDepth);
      keys.push_back(0);
    }
    if ((c == '}' || c == ']') && !keys.empty()) keys.pop_back();
    if (c == ':' && !keys.empty() && ++keys.back() > kMaxKeys)
      return fmt::format("a JSON object of more than {} keys", kMaxKeys);
  }
  return "";
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  if (std::string bad = BadShape(text); !bad.empty())
    return Fail(ErrorCode::kInvalidArgument, std::move(bad));
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    // The library's text is "[json.exception.parse_error.101] parse error at line 1, column 5: ...".
    std::string_view what = e.what();
    if (const auto end = what.find("] "); end != std::string_view::npos) what.remove_prefix(end + 2);
    return Fail(ErrorCode::kInvalidArgument, fmt::format("not valid JSON: {}", Excerpt(what, kMessageBytes)));
  }
}

std::string TextOf(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string DumpJson(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace gptoss
