#include "harmony/schema_text.h"

#include <algorithm>
#include <string>
#include <vector>

#include "harmony/compact_json.h"

// Every rule here follows openai/harmony's text, also where it looks like a slip (the description of an
// object property comes twice, closing braces are indented like the children): models are trained on it.

namespace gptoss::harmony {
namespace {

const Json* Member(const Json& value, const char* key) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(key);
  return found == value.end() ? nullptr : &*found;
}

const std::string* StringMember(const Json& value, const char* key) {
  const Json* member = Member(value, key);
  return member != nullptr && member->is_string() ? &member->get_ref<const std::string&>() : nullptr;
}

const Json* ArrayMember(const Json& value, const char* key) {
  const Json* member = Member(value, key);
  return member != nullptr && member->is_array() ? member : nullptr;
}

bool IsEnum(const Json& schema) {
  const Json* values = ArrayMember(schema, "enum");
  return values != nullptr && !values->empty();
}

// "default: V" or nothing. `quote_enums`: the one place where the reference prints an enum's default as JSON.
std::string DefaultText(const Json& schema, bool quote_enums) {
  const Json* value = Member(schema, "default");
  if (value == nullptr) return {};
  if (value->is_string()) {
    const std::string& text = value->get_ref<const std::string&>();
    if (!IsEnum(schema)) return "default: \"" + text + "\"";
    if (!quote_enums) return "default: " + text;
  }
  return "default: " + CompactJson(*value);
}

std::string NullableText(const Json& schema, std::string_view indent) {
  std::string text = SchemaText(schema, indent);
  const Json* nullable = Member(schema, "nullable");
  if (nullable != nullptr && nullable->is_boolean() && nullable->get<bool>() &&
      text.find("null") == std::string::npos) {
    text += " | null";
  }
  return text;
}

// " // description default: V", or nothing.
std::string TrailingComment(const std::string* description, const std::string& default_text) {
  std::string text;
  if (description != nullptr) text = *description;
  if (!default_text.empty()) text += (description != nullptr ? " " : "") + default_text;
  return description == nullptr && default_text.empty() ? "" : " // " + text;
}

std::string UnionText(const Json& variants, std::string_view indent) {
  const std::string inner = std::string(indent) + "   ";
  std::string out;
  for (const Json& variant : variants) {
    out += "\n" + std::string(indent) + " | " + NullableText(variant, inner);
    out += TrailingComment(StringMember(variant, "description"), DefaultText(variant, true));
  }
  return out;
}

void AppendUnionProperty(const std::string& key_text, const Json& schema, const Json& variants,
                         const std::string& indent, std::string& out) {
  const std::string* description = StringMember(schema, "description");
  const std::string* first = variants.empty() ? nullptr : StringMember(variants.front(), "description");
  const bool above = description != nullptr && (first == nullptr || *first != *description);
  if (above) out += indent + "// " + *description + "\n";
  if (const std::string text = DefaultText(schema, false); !text.empty()) out += indent + "// " + text + "\n";
  out += indent + key_text + ":\n";
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const std::string* own = StringMember(variants[i], "description");
    if ((i == 0 && above) || (own != nullptr && description != nullptr && *own == *description))
      own = nullptr;
    out += indent + " | " + NullableText(variants[i], indent + "   ");
    out += TrailingComment(own, DefaultText(variants[i], false)) + "\n";
  }
  out += indent + ",\n";
}

void AppendProperty(const std::string& key, bool required, const Json& schema, const std::string& indent,
                    std::string& out) {
  if (const std::string* title = StringMember(schema, "title")) {
    out += indent + "// " + *title + "\n" + indent + "//\n";
  }
  const std::string* description = StringMember(schema, "description");
  if (description != nullptr && Member(schema, "oneOf") == nullptr)
    out += indent + "// " + *description + "\n";
  if (const Json* examples = ArrayMember(schema, "examples"); examples != nullptr && !examples->empty()) {
    out += indent + "// Examples:\n";
    for (const Json& example : *examples) {
      if (example.is_string()) out += indent + "// - \"" + example.get_ref<const std::string&>() + "\"\n";
    }
  }
  const std::string key_text = key + (required ? "" : "?");
  if (const Json* variants = ArrayMember(schema, "oneOf")) {
    AppendUnionProperty(key_text, schema, *variants, indent, out);
    return;
  }
  out += indent + key_text + ": " + NullableText(schema, indent + "    ") + ",";
  if (const std::string text = DefaultText(schema, false); !text.empty()) out += " // " + text;
  out += "\n";
}

std::string ObjectText(const Json& schema, const std::string& indent) {
  std::string out;
  if (const std::string* description = StringMember(schema, "description")) {
    out += indent + "// " + *description + "\n";
  }
  out += "{\n";
  const Json* required = ArrayMember(schema, "required");
  if (const Json* properties = Member(schema, "properties");
      properties != nullptr && properties->is_object()) {
    for (const auto& [key, property] : properties->items()) {
      const bool is_required =
          required != nullptr &&
          std::any_of(required->begin(), required->end(), [&name = key](const Json& item) {
            return item.is_string() && item.get_ref<const std::string&>() == name;
          });
      AppendProperty(key, is_required, property, indent, out);
    }
  }
  return out + indent + "}";
}

// The string entries of an array, each between `quote`s, joined with " | ".
std::string JoinStrings(const Json& values, std::string_view quote, bool map_integer) {
  std::string out;
  for (const Json& value : values) {
    if (!value.is_string()) continue;
    const std::string& text = value.get_ref<const std::string&>();
    if (!out.empty()) out += " | ";
    out += quote;
    out += map_integer && text == "integer" ? "number" : text;
    out += quote;
  }
  return out;
}

// Rust's str::lines(): no last empty line, one '\r' before a '\n' is dropped.
std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string NamespaceText(const ToolNamespace& space) {
  std::vector<std::string> parts = {"## " + space.name + "\n"};
  const std::string prefix = space.tools.empty() ? "" : "// ";
  if (space.description) {
    for (const std::string& line : Lines(*space.description)) parts.push_back(prefix + line);
  }
  if (!space.tools.empty()) {
    parts.push_back("namespace " + space.name + " {\n");
    for (const ToolDescription& tool : space.tools) {
      for (const std::string& line : Lines(tool.description)) parts.push_back("// " + line);
      const std::string argument = tool.parameters ? "_: " + SchemaText(*tool.parameters, "") : "";
      parts.push_back("type " + tool.name + " = (" + argument + ") => any;\n");
    }
    parts.push_back("} // namespace " + space.name);
  }
  std::string out = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) out += "\n" + parts[i];
  return out;
}

}  // namespace

std::string SchemaText(const Json& schema, std::string_view indent) {
  if (const Json* variants = ArrayMember(schema, "oneOf")) return UnionText(*variants, indent);
  if (const Json* types = ArrayMember(schema, "type")) {
    std::string text = JoinStrings(*types, "", true);
    if (!text.empty()) return text;
  }
  const std::string* type = StringMember(schema, "type");
  if (type == nullptr) return "any";
  if (*type == "object") return ObjectText(schema, std::string(indent));
  if (*type == "string") {
    const Json* values = ArrayMember(schema, "enum");
    std::string text = values == nullptr ? "" : JoinStrings(*values, "\"", false);
    return text.empty() ? "string" : text;
  }
  if (*type == "number" || *type == "integer") return "number";
  if (*type == "boolean") return "boolean";
  if (*type == "array") {
    const Json* items = Member(schema, "items");
    return items == nullptr ? "Array<any>" : SchemaText(*items, indent) + "[]";
  }
  return "any";
}

std::string ToolsSection(const ToolNamespaces& tools) {
  std::vector<const ToolNamespaces::value_type*> sorted;
  for (const auto& entry : tools) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const auto* left, const auto* right) {
    return left->first != right->first ? left->first < right->first : left < right;
  });
  std::string out = "# Tools";
  for (const auto* entry : sorted) out += "\n\n" + NamespaceText(entry->second);
  return out;
}

}  // namespace gptoss::harmony
