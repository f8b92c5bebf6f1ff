#include "hub/completeness.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "hub/part_name.h"

namespace gptoss::hub {
namespace {

constexpr std::uint64_t kMaxIndexBytes = 64ULL << 20;
constexpr std::string_view kIndexEnd = ".safetensors.index.json";

std::unexpected<Error> Lacks(const std::string& what) {
  return Fail(
      ErrorCode::kDataLoss,
      fmt::format("the listing is not that of a whole model: {}. Nothing is taken from it; try again later, "
                  "or choose files with --include",
                  what));
}

// The parts of one series, numbered from 1, or from 0 to one less; OpenAI's go from 0 to `of`, which the
// index checks.
struct Series {
  std::set<int> numbers;
  int of = 0;
};

Status CheckSeries(const std::vector<FileEntry>& files) {
  std::map<std::string, Series> all;
  for (const FileEntry& file : files) {
    const auto part = ParsePartName(file.path);
    if (!part) continue;
    Series& series = all[part->Series()];
    series.numbers.insert(part->number);
    series.of = part->of;
  }
  for (const auto& [name, series] : all) {
    const int first = series.numbers.contains(0) ? 0 : 1;
    for (int number = first; number < first + series.of; ++number) {
      if (!series.numbers.contains(number))
        return Lacks(fmt::format("part {} of {} is missing", number, name));
    }
  }
  return {};
}

}  // namespace

Status CheckNames(const std::vector<FileEntry>& files, bool is_gpt_oss) {
  GPTOSS_CHECK_OK(CheckSeries(files));
  if (!is_gpt_oss) return {};
  bool gguf = false, safetensors = false, config = false;
  for (const FileEntry& file : files) {
    gguf |= file.path.ends_with(".gguf");
    safetensors |= file.path.ends_with(".safetensors");
    config |= file.path == "config.json";
  }
  if (!gguf && !safetensors) return Lacks("it has no weights (*.safetensors or *.gguf)");
  if (!gguf && !config) return Lacks("config.json is missing");
  return {};
}

const FileEntry* FindWeightIndex(const std::vector<FileEntry>& files) {
  const auto found = std::ranges::find_if(files, [](const FileEntry& f) {
    return f.path.ends_with(kIndexEnd) && f.path.find('/') == f.path.npos;
  });
  return found == files.end() ? nullptr : &*found;
}

Status CheckWeightIndex(const std::vector<FileEntry>& files, const FileEntry& index,
                        const std::filesystem::path& content) {
  GPTOSS_TRY(const std::string text, ReadFile(content, kMaxIndexBytes));
  const auto json = ParseJson(text);
  if (!json || !json->is_object() || !json->contains("weight_map") || !(*json)["weight_map"].is_object())
    return Lacks(fmt::format("{} has no weight_map", index.path));
  std::set<std::string> names;
  for (const FileEntry& file : files) names.insert(file.path);
  for (const auto& [tensor, part] : (*json)["weight_map"].items()) {
    if (!part.is_string()) return Lacks(fmt::format("{} is damaged", index.path));
    const std::string name = part.get<std::string>();
    if (!ValidatePath(name)) return Lacks(fmt::format("{} names a file that no repository has", index.path));
    if (!names.contains(name)) return Lacks(fmt::format("{}, which {} names, is missing", name, index.path));
  }
  return {};
}

}  // namespace gptoss::hub
