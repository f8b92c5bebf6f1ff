#include "base/json.h"

#include <fmt/format.h>

namespace gptoss {
namespace {

constexpr int kMaxDepth = 200;

// Nesting is counted on the raw text, before the recursive builder sees it.
bool TooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if ((c == '{' || c == '[') && ++depth > kMaxDepth) return true;
    if (c == '}' || c == ']') --depth;
  }
  return false;
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  if (TooDeep(text)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("JSON nested deeper than {} levels", kMaxDepth));
  }
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    // The library's text is "[json.exception.parse_error.101] parse error at line 1, column 5: ...".
    std::string_view what = e.what();
    if (const auto end = what.find("] "); end != std::string_view::npos) what.remove_prefix(end + 2);
    return Fail(ErrorCode::kInvalidArgument, fmt::format("not valid JSON: {}", what));
  }
}

std::string DumpJson(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace gptoss
