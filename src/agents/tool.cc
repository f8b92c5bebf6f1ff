#include "agents/tool.h"

#include <fmt/format.h>

#include <charconv>

#include "base/utf8.h"

namespace gptoss::agents {
namespace {

const Json* Find(const Json& arguments, std::string_view name) {
  if (!arguments.is_object()) return nullptr;
  const auto found = arguments.find(name);
  return found == arguments.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

Result<std::string> TextArgument(const Json& arguments, std::string_view name) {
  const Json* value = Find(arguments, name);
  if (value == nullptr || !value->is_string())
    return Fail(ErrorCode::kInvalidArgument, fmt::format("the argument \"{}\" must be a string", name));
  return value->get<std::string>();
}

std::string TextArgumentOr(const Json& arguments, std::string_view name, std::string_view fallback) {
  const Json* value = Find(arguments, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string(fallback);
}

Result<std::int64_t> IntegerArgumentOr(const Json& arguments, std::string_view name, std::int64_t fallback) {
  const Json* value = Find(arguments, name);
  if (value == nullptr) return fallback;
  if (value->is_number_integer()) return value->get<std::int64_t>();
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (number >= -9e15 && number <= 9e15) return static_cast<std::int64_t>(number);
  }
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
  }
  return Fail(ErrorCode::kInvalidArgument, fmt::format("the argument \"{}\" must be a whole number", name));
}

bool BoolArgumentOr(const Json& arguments, std::string_view name, bool fallback) {
  const Json* value = Find(arguments, name);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  return value->is_string() ? *value == "true" : fallback;
}

Json ParametersSchema(const std::vector<ParameterText>& parameters) {
  Json schema{{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
  for (const ParameterText& parameter : parameters) {
    Json one{{"type", parameter.type}};
    if (!parameter.description.empty()) one["description"] = parameter.description;
    schema["properties"][parameter.name] = std::move(one);
    if (parameter.required) schema["required"].push_back(parameter.name);
  }
  return schema;
}

std::string Abridge(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return ReplaceInvalidUtf8(text);
  const std::size_t head = max_bytes / 3, tail = max_bytes - head;
  const auto at_start = [&](std::size_t at) {  // of a character, at or before `at`
    while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
    return at;
  };
  const std::size_t first = at_start(head), last = at_start(text.size() - tail);
  return ReplaceInvalidUtf8(fmt::format("{}\n[... {} bytes left out ...]\n{}", text.substr(0, first),
                                        last - first, text.substr(last)));
}

}  // namespace gptoss::agents
