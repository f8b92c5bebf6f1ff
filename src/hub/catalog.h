// Known models: short names, which files of which repository, licence, memory advice, pins. One data file
// (catalog.json), linked in.
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
  std::uint64_t approximate_bytes = 0;  // 0: not known
  std::string license;                  // id
  std::uint64_t memory_floor_bytes = 0, memory_advised_bytes = 0;
  std::string memory_advice;
  std::string layout;  // "mlx", "openai", "gguf", "embedding"
};
const std::vector<CatalogEntry>& Catalog();
// By name or by repository ("openai/gpt-oss-20b" then stands for the same files); the default model for "".
// nullptr: not in the catalog (an org/name then). In any case of letters for names.
const CatalogEntry* FindInCatalog(std::string_view name);
// Files that answer prompts belong to gpt-oss: chat models, not embeddings.
bool IsGptOss(std::string_view repository);

struct LicenseInfo {
  std::string id, name, url;
  std::string summary;  // one or two sentences for a person; no substitute for the text
};
// nullptr: a licence that the catalog does not know.
const LicenseInfo* FindLicense(std::string_view id);
// Text of a licence that ships with us ("apache-2.0"); nullopt for others.
std::optional<std::string_view> LicenseText(std::string_view id);
// What is known to be right for gpt-oss, by SHA-256: tokenizer.json and chat_template.jinja. nullopt: not
// known.
std::optional<std::string_view> KnownPin(std::string_view sha256);

// A catalog from JSON; Catalog() is that of the linked file. For tests of the reader.
Result<std::vector<CatalogEntry>> ParseCatalog(std::string_view json);

}  // namespace gptoss::hub
