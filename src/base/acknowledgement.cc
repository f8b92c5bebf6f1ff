#include "base/acknowledgement.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/json.h"
#include "base/utf8.h"

namespace gptoss {
namespace {

constexpr std::uint64_t kMaxBytes = 16 << 20;
constexpr std::chrono::seconds kPatience{10};

std::filesystem::path RecordFile(const std::filesystem::path& folder) {
  return folder / "acknowledgements.jsonl";
}

std::string NowUtc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

Result<std::string> ReadRecord(const std::filesystem::path& folder) {
  auto text = ReadFile(RecordFile(folder), kMaxBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::string();
  return text;
}

std::optional<Acknowledgement> ParseLine(std::string_view line) {
  const auto json = ParseJson(line);
  if (!json || !json->is_object()) return std::nullopt;
  Acknowledgement record;
  const auto take = [&](const char* name, std::string& field) {
    const auto found = json->find(name);
    if (found == json->end() || !found->is_string()) return false;
    field = found->get<std::string>();
    return true;
  };
  if (!take("model", record.model) || !take("revision", record.revision) ||
      !take("licence", record.licence) || !take("how", record.how) || !take("time", record.time))
    return std::nullopt;
  return record;
}

}  // namespace

Status RecordAcknowledgement(const std::filesystem::path& folder, Acknowledgement record) {
  if (record.model.empty() || record.revision.empty() || record.licence.empty())
    return Fail(ErrorCode::kInvalidArgument,
                "an acknowledgement names a model, its revision and its licence");
  record.time = NowUtc();
  GPTOSS_CHECK_OK(CreatePrivateFolders(folder));
  GPTOSS_TRY(const FileLock lock, FileLock::Acquire(RecordFile(folder).string() + ".lock",
                                                    FileLock::Kind::kExclusive, {}, kPatience));
  GPTOSS_TRY(std::string text, ReadRecord(folder));
  // A line that somebody cut off stays what it is: damaged, and by itself.
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += DumpJson(Json{{"model", record.model},
                        {"revision", record.revision},
                        {"licence", record.licence},
                        {"how", record.how},
                        {"time", record.time}});
  return WriteFileAtomic(RecordFile(folder), text + "\n");
}

Result<std::optional<Acknowledgement>> FindAcknowledgement(const std::filesystem::path& folder,
                                                           std::string_view model, std::string_view revision,
                                                           std::string_view licence) {
  GPTOSS_TRY(const std::string text, ReadRecord(folder));
  std::optional<Acknowledgement> latest;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    auto record = ParseLine(std::string_view(text).substr(at, end - at));
    if (record && record->model == model && record->revision == revision && record->licence == licence)
      latest = std::move(record);
    at = end + 1;
  }
  return latest;
}

}  // namespace gptoss
