// Known models: short names, which files of which repository, licence, memory advice, pins. One data file,
// linked in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gptoss::hub {

struct CatalogEntry {
  std::string name;  // "gpt-oss-20b", "gpt-oss-20b:openai", "gpt-oss-20b:gguf", "gpt-oss-120b" …
  std::string title;
  std::string repository, revision;
  std::vector<std::string> include, exclude;
  std::uint64_t approximate_bytes = 0;
  std::string license;  // id
  std::uint64_t memory_floor_bytes = 0, memory_advised_bytes = 0;
  std::string memory_advice;
  std::string layout;  // "mlx", "openai", "gguf", "embedding"
};
const std::vector<CatalogEntry>& Catalog();
// By name; the default model for "" . nullopt: not in the catalog (an org/name then).
const CatalogEntry* FindInCatalog(std::string_view name);
// Text of a licence that ships with us ("apache-2.0"); nullopt for others.
std::optional<std::string_view> LicenseText(std::string_view id);
// Hashes (SHA-256) of tokenizer.json and chat_template.jinja known to be right for gpt-oss, with what they
// are.
std::optional<std::string_view> KnownPin(std::string_view sha256);

}  // namespace gptoss::hub
