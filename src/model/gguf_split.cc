#include "model/gguf_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gptoss {
namespace {

namespace fs = std::filesystem;
using FilePointer = std::shared_ptr<const MappedFile>;

constexpr std::string_view kEnd = ".gguf", kOf = "-of-";
constexpr std::size_t kDigits = 5;

// Five digits; -1: something else.
int Number(std::string_view text) {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return text.size() == kDigits ? number : -1;
}

// What a file says of itself. A whole one says nothing, or that it is one of one.
struct SplitMetadata {
  std::int64_t no = 0, count = 1, tensors = -1;  // `no` from 0; -1: not said
};

Result<SplitMetadata> MetadataOf(const GgufFile& gguf, std::string_view file) {
  SplitMetadata split;
  for (const auto& [key, value] : {std::pair{"split.no", &split.no}, std::pair{"split.count", &split.count},
                                   std::pair{"split.tensors.count", &split.tensors}}) {
    const auto it = gguf.metadata.find(key);
    if (it == gguf.metadata.end()) continue;
    const auto* number = std::get_if<std::int64_t>(&it->second.value);
    if (number == nullptr || *number < 0)
      return Fail(ErrorCode::kDataLoss, fmt::format("{}: metadata {}: expected a number", file, key));
    *value = *number;
  }
  if (split.count == 0) split.count = 1;
  return split;
}

Result<FilePointer> OpenPart(const fs::path& folder, const SplitName& name) {
  const fs::path path = folder / SplitFileName(name);
  auto file = MappedFile::Open(path);
  if (file || file.error().code != ErrorCode::kNotFound) return file;
  return Fail(ErrorCode::kNotFound,
              fmt::format("{} is missing: it is part {} of the {} that this model consists "
                          "of, and all of them are needed, side by side",
                          path.string(), name.number, name.count));
}

// Adds one part; its metadata counts in the first only.
Status AddPart(FilePointer file, GgufFile gguf, const SplitName& name, GgufSet& set) {
  GPTOSS_TRY(const SplitMetadata split, MetadataOf(gguf, file->name()));
  if (split.no != name.number - 1 || split.count != name.count) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{} says that it is part {} of {}; parts have to keep the names "
                            "that they were published with",
                            file->name(), split.no + 1, split.count));
  }
  for (auto& [tensor, value] : gguf.tensors) {
    if (!set.gguf.tensors.emplace(tensor, std::move(value)).second)
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{}: tensor {} is in another part as well", file->name(), tensor));
  }
  if (set.files.empty()) set.gguf.metadata = std::move(gguf.metadata);
  set.files.push_back(std::move(file));
  return {};
}

}  // namespace

std::optional<SplitName> ParseSplitName(std::string_view file_name) {
  constexpr std::size_t kTail = 1 + kDigits + kOf.size() + kDigits + kEnd.size();  // "-00001-of-00003.gguf"
  if (file_name.size() <= kTail || !file_name.ends_with(kEnd)) return std::nullopt;
  const std::string_view tail = file_name.substr(file_name.size() - kTail);
  const int number = Number(tail.substr(1, kDigits)),
            count = Number(tail.substr(1 + kDigits + kOf.size(), kDigits));
  if (tail.front() != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf || number < 1 || count < number)
    return std::nullopt;
  return SplitName{std::string(file_name.substr(0, file_name.size() - kTail)), number, count};
}

std::string SplitFileName(const SplitName& name) {
  return fmt::format("{}-{:05}{}{:05}{}", name.stem, name.number, kOf, name.count, kEnd);
}

Result<GgufSet> OpenGgufSet(const fs::path& path) {
  GPTOSS_TRY(FilePointer given, MappedFile::Open(path));
  GPTOSS_TRY(GgufFile gguf, ReadGguf(*given));
  GPTOSS_TRY(const SplitMetadata split, MetadataOf(gguf, given->name()));
  GgufSet set;
  if (split.count == 1) {
    set.files.push_back(std::move(given));
    set.gguf = std::move(gguf);
    return set;
  }
  const auto name = ParseSplitName(path.filename().string());
  if (!name || name->number != split.no + 1 || name->count != split.count) {
    return Fail(
        ErrorCode::kDataLoss,
        fmt::format("{} is part {} of {}, but its name does not end in -{:05}-of-{:05}.gguf; parts have to "
                    "keep the names that they were published with",
                    path.string(), split.no + 1, split.count, split.no + 1, split.count));
  }
  for (SplitName part{name->stem, 1, name->count}; part.number <= part.count; ++part.number) {
    FilePointer file = given;
    GgufFile content;
    if (part == *name) {
      content = std::exchange(gguf, {});
    } else {
      GPTOSS_TRY(file, OpenPart(path.parent_path(), part));
      GPTOSS_TRY(content, ReadGguf(*file));
    }
    GPTOSS_CHECK_OK(AddPart(std::move(file), std::move(content), part, set));
  }
  const auto have = static_cast<std::int64_t>(set.gguf.tensors.size());
  if (split.tensors >= 0 && split.tensors != have) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the {} parts of {} hold {} tensors, and {} belong to the model", name->count,
                            path.string(), have, split.tensors));
  }
  return set;
}

const fs::path* FirstOfOneSet(const std::vector<fs::path>& files) {
  const fs::path* first = nullptr;
  std::optional<SplitName> set;
  for (const fs::path& file : files) {
    const auto name = ParseSplitName(file.filename().string());
    if (!name || (set && (name->stem != set->stem || name->count != set->count))) return nullptr;
    if (!set || name->number < set->number) {
      set = name;
      first = &file;
    }
  }
  return first;
}

}  // namespace gptoss
