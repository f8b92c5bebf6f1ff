#include "hub/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/json.h"
#include "hub/json_fields.h"

extern "C" {
extern const char gptoss_hub_catalog[];
extern const std::uint64_t gptoss_hub_catalog_size;
extern const char gptoss_hub_apache[];
extern const std::uint64_t gptoss_hub_apache_size;
}

namespace gptoss::hub {
namespace {

constexpr std::string_view kApache = "apache-2.0";

std::uint64_t Number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

const Json& Members(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : kNone;
}

Result<CatalogEntry> ParseEntry(const Json& object) {
  CatalogEntry entry;
  entry.name = TextOf(object, "name");
  entry.title = TextOf(object, "title");
  entry.repository = TextOf(object, "repository");
  entry.revision = TextOf(object, "revision");
  if (entry.revision.empty()) entry.revision = "main";
  entry.include = TextsOf(object, "include");
  entry.exclude = TextsOf(object, "exclude");
  entry.approximate_bytes = Number(object, "bytes");
  entry.license = TextOf(object, "license");
  entry.memory_floor_bytes = Number(object, "memory_floor");
  entry.memory_advised_bytes = Number(object, "memory_advised");
  entry.memory_advice = TextOf(object, "memory_advice");
  entry.layout = TextOf(object, "layout");
  if (entry.name.empty() || entry.repository.empty() || entry.license.empty() || entry.layout.empty())
    return Fail(ErrorCode::kInternal,
                fmt::format("catalog: '{}' lacks a name, repository, license or layout", entry.name));
  return entry;
}

struct Data {
  std::vector<CatalogEntry> models;
  std::string default_name;
  std::vector<LicenseInfo> licenses;
  std::vector<std::pair<std::string, std::string>> pins;  // SHA-256, what it is
};

Result<Data> ParseData(std::string_view json) {
  GPTOSS_TRY(const Json root, ParseJson(json));
  if (!root.is_object()) return Fail(ErrorCode::kInternal, "catalog: not a JSON object");
  Data data;
  data.default_name = TextOf(root, "default");
  for (const Json& object : Members(root, "models")) {
    GPTOSS_TRY(CatalogEntry entry, ParseEntry(object));
    data.models.push_back(std::move(entry));
  }
  for (const Json& object : Members(root, "licenses"))
    data.licenses.push_back(
        {TextOf(object, "id"), TextOf(object, "name"), TextOf(object, "url"), TextOf(object, "summary")});
  for (const Json& object : Members(root, "pins"))
    data.pins.emplace_back(TextOf(object, "sha256"), TextOf(object, "what"));
  return data;
}

// The linked file is our own and a test reads it: should it be broken all the same, the catalog is empty.
const Data& Linked() {
  static const Data data = [] {
    auto parsed = ParseData({gptoss_hub_catalog, static_cast<std::size_t>(gptoss_hub_catalog_size)});
    return parsed ? std::move(*parsed) : Data{};
  }();
  return data;
}

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

Result<std::vector<CatalogEntry>> ParseCatalog(std::string_view json) {
  GPTOSS_TRY(Data data, ParseData(json));
  return std::move(data.models);
}

const std::vector<CatalogEntry>& Catalog() { return Linked().models; }

const CatalogEntry* FindInCatalog(std::string_view name) {
  if (name.empty()) name = Linked().default_name;
  for (const CatalogEntry& entry : Catalog())
    if (SameIgnoringCase(entry.name, name)) return &entry;
  for (const CatalogEntry& entry : Catalog())
    if (SameIgnoringCase(entry.repository, name)) return &entry;
  return nullptr;
}

bool IsGptOss(std::string_view repository) {
  const CatalogEntry* known = FindInCatalog(repository);
  if (known != nullptr) return known->layout != "embedding";
  // Conversions by others keep the name.
  std::string lower(repository);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return lower.find("gpt-oss") != std::string::npos;
}

const LicenseInfo* FindLicense(std::string_view id) {
  for (const LicenseInfo& license : Linked().licenses)
    if (SameIgnoringCase(license.id, id)) return &license;
  return nullptr;
}

std::optional<std::string_view> LicenseText(std::string_view id) {
  if (!SameIgnoringCase(id, kApache)) return std::nullopt;
  return std::string_view(gptoss_hub_apache, static_cast<std::size_t>(gptoss_hub_apache_size));
}

std::optional<std::string_view> KnownPin(std::string_view sha256) {
  for (const auto& [hash, what] : Linked().pins)
    if (hash == sha256) return what;
  return std::nullopt;
}

}  // namespace gptoss::hub
