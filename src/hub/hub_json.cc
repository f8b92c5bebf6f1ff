#include "hub/hub_json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "hub/http_text.h"

namespace gptoss::hub {
namespace {

namespace dom = simdjson::dom;

// simdjson builds a flat tape without recursion, so nesting costs no stack; it is bounded all the same.
constexpr std::size_t kDeepest = 64;

Result<dom::element> Parse(dom::parser& parser, const simdjson::padded_string& text) {
  if (parser.allocate(std::max<std::size_t>(text.size(), 64), kDeepest) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kResourceExhausted, "out of memory for an answer of the Hub");
  }
  dom::element root;
  if (const auto error = parser.parse(text).get(root); error != simdjson::SUCCESS) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the answer is not JSON as a Hub sends it ({})", simdjson::error_message(error)));
  }
  return root;
}

std::string_view Text(const dom::object& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

bool True(const dom::object& object, std::string_view key) {
  dom::element value;
  if (object[key].get(value) != simdjson::SUCCESS) return false;
  bool flag = false;
  if (value.get(flag) == simdjson::SUCCESS) return flag;
  std::string_view text;  // gated: false | "auto" | "manual"
  return value.get(text) == simdjson::SUCCESS && !text.empty() && text != "false";
}

void ReadLicense(const dom::object& root, RevisionInfo& info) {
  dom::object card;
  if (root["cardData"].get(card) == simdjson::SUCCESS) {
    info.license = ForMessage(Text(card, "license"));
    info.license_name = ForMessage(Text(card, "license_name"));
    info.license_link = ForMessage(Text(card, "license_link"));
  }
  dom::array tags;
  if (!info.license.empty() || root["tags"].get(tags) != simdjson::SUCCESS) return;
  for (const dom::element tag : tags) {
    std::string_view text;
    if (tag.get(text) == simdjson::SUCCESS && text.starts_with("license:")) {
      info.license = ForMessage(text.substr(8));
      return;
    }
  }
}

// A tree entry of type "file".
Result<FileEntry> ReadFileEntry(const dom::object& object) {
  FileEntry file;
  file.path = std::string(Text(object, "path"));
  const auto bad = [&](std::string_view what) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the listing's entry '{}' has {}", ForMessage(file.path), what));
  };
  if (file.path.empty()) return Fail(ErrorCode::kDataLoss, "the listing has a file without a name");
  std::uint64_t size = 0;
  if (object["size"].get(size) != simdjson::SUCCESS) return bad("no size that is a number of bytes");
  const auto git = ParseContentHash(Text(object, "oid"));
  if (!git || git->is_sha256()) return bad("no git hash of 40 hex digits");
  file.size = size;
  file.git_oid = git->hex;
  file.hash = *git;
  file.xet_hash = ForMessage(Text(object, "xetHash"));
  dom::element lfs;
  if (object["lfs"].get(lfs) != simdjson::SUCCESS || lfs.is_null()) return file;
  dom::object pointer;
  if (lfs.get(pointer) != simdjson::SUCCESS) return bad("an LFS part that is no object");
  const auto sha256 = ParseContentHash(Text(pointer, "oid"));
  if (!sha256 || !sha256->is_sha256()) return bad("no SHA-256 of 64 hex digits");
  std::uint64_t lfs_size = 0;
  if (pointer["size"].get(lfs_size) != simdjson::SUCCESS) return bad("no LFS size that is a number of bytes");
  if (lfs_size != size) return bad("two sizes that differ");
  file.hash = *sha256;
  return file;
}

}  // namespace

Result<RevisionInfo> ParseRevisionInfo(std::string_view json) {
  const simdjson::padded_string text(json);
  dom::parser parser;
  GPTOSS_TRY(const dom::element root, Parse(parser, text));
  dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kDataLoss, "the answer is no description of a repository");
  }
  RevisionInfo info;
  const auto commit = ParseContentHash(Text(object, "sha"));
  if (!commit || commit->is_sha256()) {
    return Fail(ErrorCode::kDataLoss, "the answer names no commit of 40 hex digits, as a Hub would");
  }
  info.commit = commit->hex;
  info.gated = True(object, "gated");
  info.is_private = True(object, "private");
  info.disabled = True(object, "disabled");
  ReadLicense(object, info);
  return info;
}

Status ParseTreePage(std::string_view json, std::vector<FileEntry>& files) {
  const simdjson::padded_string text(json);
  dom::parser parser;
  GPTOSS_TRY(const dom::element root, Parse(parser, text));
  dom::array entries;
  if (root.get(entries) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kDataLoss, "the answer is no listing of a repository");
  }
  for (const dom::element entry : entries) {
    dom::object object;
    if (entry.get(object) != simdjson::SUCCESS) {
      return Fail(ErrorCode::kDataLoss, "the listing has an entry that is no object");
    }
    const std::string_view type = Text(object, "type");
    if (type == "directory") continue;
    if (type != "file") {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("the listing has an entry of the unknown type '{}'", ForMessage(type)));
    }
    GPTOSS_TRY(FileEntry file, ReadFileEntry(object));
    files.push_back(std::move(file));
  }
  return {};
}

}  // namespace gptoss::hub
