// The `# Tools` section: tool namespaces and JSON schemas as the TypeScript-like text the model is fed.
#pragma once

#include <string>
#include <string_view>

#include "harmony/conversation.h"

namespace gptoss::harmony {

// "# Tools\n\n## functions\n…", namespaces in byte order of their keys. No newline at the end.
std::string ToolsSection(const ToolNamespaces& tools);

// The type of one schema. `indent` is that of the properties; oddities of the reference included.
std::string SchemaText(const Json& schema, std::string_view indent);

}  // namespace gptoss::harmony
