#include "hub/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/json.h"
#include "hub/json_fields.h"
#include "hub/part_name.h"

namespace gptoss::hub {
namespace {

constexpr std::uint64_t kMaxFileBytes = 4ULL << 40;
constexpr std::size_t kMaxManifestFiles = 100'000;

std::unexpected<Error> BrokenManifest(std::string what) {
  return Fail(ErrorCode::kDataLoss, fmt::format("not a manifest of gptoss: {}", what));
}

bool IsHash(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// A manifest may come with an exported folder, from anybody: its names lead nowhere but into that folder.
bool StaysInside(std::string_view path) {
  if (path.empty() || path.size() > 1024 || path.front() == '/') return false;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = slash + 1;
  }
  return std::ranges::none_of(
      path, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f' || c == '\\'; });
}

Result<ManifestFile> ParseFile(const Json& object) {
  if (!object.is_object()) return BrokenManifest("an entry of 'files' is no object");
  ManifestFile file;
  file.path = TextOf(object, "path");
  if (!StaysInside(file.path)) return BrokenManifest(fmt::format("'{}' is no name of a file", file.path));
  const auto size = object.find("size");
  if (size == object.end() || !size->is_number_unsigned() || size->get<std::uint64_t>() > kMaxFileBytes)
    return BrokenManifest(fmt::format("{} has no sensible size", file.path));
  file.size = size->get<std::uint64_t>();
  file.hash.hex = TextOf(object, "hash");
  if (!IsHash(file.hash.hex))
    return BrokenManifest(fmt::format("{} has no hash of 40 or 64 digits", file.path));
  file.role = RoleOf(file.path);
  const auto time = object.find("mtime_ns");
  if (time != object.end() && time->is_number_integer()) file.mtime_ns = time->get<std::int64_t>();
  return file;
}

std::string TwoDigits(int value) { return fmt::format("{:02}", value); }

}  // namespace

std::uint64_t TotalBytes(const Manifest& manifest) {
  std::uint64_t total = 0;
  for (const ManifestFile& file : manifest.files) total += file.size;
  return total;
}

std::string_view RoleOf(std::string_view path) {
  const std::string_view name =
      path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
  if (name.ends_with(".safetensors") || name.ends_with(".gguf")) return "weights";
  if (name == "chat_template.jinja") return "chat_template";
  if (name == "tokenizer.json" || name == "tokenizer_config.json" || name == "special_tokens_map.json")
    return "tokenizer";
  if (name.starts_with("LICENSE") || name.starts_with("LICENCE") || name == "USAGE_POLICY" ||
      name == "NOTICE")
    return "license";
  if (name == "config.json" || name == "generation_config.json" || name == "model.safetensors.index.json")
    return "config";
  return "other";
}

std::string NowRfc3339() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return fmt::format("{}-{}-{}T{}:{}:{}Z", utc.tm_year + 1900, TwoDigits(utc.tm_mon + 1),
                     TwoDigits(utc.tm_mday), TwoDigits(utc.tm_hour), TwoDigits(utc.tm_min),
                     TwoDigits(utc.tm_sec));
}

std::filesystem::path CheckpointPath(const Manifest& manifest) {
  const ManifestFile* gguf = nullptr;
  std::optional<PartName> part;
  for (const ManifestFile& file : manifest.files) {
    if (file.path.ends_with(".safetensors")) return manifest.folder;
    if (!file.path.ends_with(".gguf")) continue;
    const auto name = ParsePartName(file.path);
    if (gguf != nullptr) {
      if (!name || !part || !name->SameSeries(*part)) return manifest.folder;
      if (name->number > part->number) continue;
    }
    gguf = &file;
    part = name;
  }
  return gguf != nullptr ? manifest.folder / gguf->path : manifest.folder;
}

std::string ManifestToJson(const Manifest& manifest) {
  Json files = Json::array();
  for (const ManifestFile& file : manifest.files)
    files.push_back({{"path", file.path},
                     {"size", file.size},
                     {"hash", file.hash.hex},
                     {"role", file.role.empty() ? std::string(RoleOf(file.path)) : file.role},
                     {"mtime_ns", file.mtime_ns}});
  Json acknowledgement = nullptr;
  if (const auto& given = manifest.acknowledgement)
    acknowledgement = Json{
        {"license", given->license}, {"commit", given->commit}, {"time", given->time}, {"how", given->how}};
  const Json root{
      {"schema", kManifestSchema},
      {"model", manifest.model},
      {"repository", manifest.repository},
      {"revision", manifest.revision},
      {"commit", manifest.commit},
      {"include", manifest.include},
      {"exclude", manifest.exclude},
      {"folder", manifest.folder.string()},
      {"license", manifest.license},
      {"acknowledgement", std::move(acknowledgement)},
      {"pins", {{"tokenizer", manifest.tokenizer_pin}, {"chat_template", manifest.chat_template_pin}}},
      {"verified_at", manifest.verified_at},
      {"verified_by", manifest.verified_by},
      {"files", std::move(files)}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Manifest> ParseManifest(std::string_view json) {
  auto parsed = ParseJson(json);
  if (!parsed) return BrokenManifest(parsed.error().message);
  const Json& root = *parsed;
  if (!root.is_object()) return BrokenManifest("no JSON object");
  const auto schema = root.find("schema");
  if (schema == root.end() || !schema->is_number_unsigned() || schema->get<std::uint64_t>() == 0)
    return BrokenManifest("'schema' is missing");
  if (schema->get<std::uint64_t>() > kManifestSchema)
    return Fail(ErrorCode::kUnsupported,
                fmt::format("written by a newer gptoss (schema {}; this one reads up to {}); update gptoss",
                            schema->get<std::uint64_t>(), kManifestSchema));
  Manifest manifest;
  manifest.model = TextOf(root, "model");
  manifest.repository = TextOf(root, "repository");
  manifest.revision = TextOf(root, "revision");
  manifest.commit = TextOf(root, "commit");
  if (manifest.model.empty()) return BrokenManifest("'model' is missing");
  if (!manifest.commit.empty() && !IsHash(manifest.commit)) return BrokenManifest("'commit' is no commit");
  // Schema 1 has neither: empty stands for what an install without patterns takes.
  manifest.include = TextsOf(root, "include");
  manifest.exclude = TextsOf(root, "exclude");
  manifest.folder = TextOf(root, "folder");
  manifest.license = TextOf(root, "license");
  if (const auto given = root.find("acknowledgement"); given != root.end() && given->is_object())
    manifest.acknowledgement = Acknowledgement{TextOf(*given, "license"), TextOf(*given, "commit"),
                                               TextOf(*given, "time"), TextOf(*given, "how")};
  if (const auto pins = root.find("pins"); pins != root.end() && pins->is_object()) {
    manifest.tokenizer_pin = TextOf(*pins, "tokenizer");
    manifest.chat_template_pin = TextOf(*pins, "chat_template");
  }
  manifest.verified_at = TextOf(root, "verified_at");
  manifest.verified_by = TextOf(root, "verified_by");
  const auto files = root.find("files");
  if (files == root.end() || !files->is_array() || files->empty()) return BrokenManifest("it names no files");
  if (files->size() > kMaxManifestFiles) return BrokenManifest("it names more than 100,000 files");
  manifest.files.reserve(files->size());
  for (const Json& object : *files) {
    GPTOSS_TRY(ManifestFile file, ParseFile(object));
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}

}  // namespace gptoss::hub
