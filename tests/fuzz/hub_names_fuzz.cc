// Any bytes as a model's name, a path, a pattern and a stored listing: refused, or safe below a folder.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/utf8.h"
#include "hub/cache.h"
#include "hub/repository.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckInside(const std::filesystem::path& joined) {
  Require(joined.lexically_normal() == joined);
  Require(joined.string().starts_with("/root/"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gptoss::hub;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto reference = ParseModelReference(text)) {
    const RepositoryCache cache("/root", reference->repository);
    CheckInside(cache.folder());
    Require(cache.folder().parent_path() == "/root");
    CheckInside(cache.ref(reference->revision));
    const auto again = ParseModelReference(ToString(*reference));
    Require(again && again->repository == reference->repository && again->pattern == reference->pattern);
  } else {
    Require(gptoss::IsValidUtf8(reference.error().message));
  }
  if (ValidatePath(text)) CheckInside(std::filesystem::path("/root") / text);
  const std::string key = CollisionKey(text);
  Require(CollisionKey(key) == key);
  if (const auto files = ParseTree(text)) {
    Require(!files->empty());
    for (const FileEntry& file : *files) {
      CheckInside(std::filesystem::path("/root") / file.path);
      Require(ParseContentHash(file.hash.hex).has_value());
    }
    const Listing listing{.repository = "a/b", .commit = std::string(40, '0'), .files = *files};
    Require(ParseTree(TreeToJson(listing)).has_value());
  }
  const std::size_t half = size / 2;
  if (size < 200) (void)MatchesPattern(text.substr(half), text.substr(0, half));
  return 0;
}
