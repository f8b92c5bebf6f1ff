#include "provider/telemetry.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <cstring>
#include <system_error>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/json.h"

namespace gptoss {
namespace {

constexpr const char* kName = "generations.jsonl";

// generations.jsonl is the newest, generations.1.jsonl the one before it …
std::filesystem::path LogFile(const std::filesystem::path& folder, int age) {
  return folder / (age == 0 ? std::string(kName) : fmt::format("generations.{}.jsonl", age));
}

void Rotate(const std::filesystem::path& folder, int files) {
  std::error_code ignored;
  // Those too that are left of a time when more were kept.
  for (int age = files - 1; std::filesystem::remove(LogFile(folder, age), ignored); ++age) {
  }
  for (int age = files - 2; age >= 0; --age) {
    std::filesystem::rename(LogFile(folder, age), LogFile(folder, age + 1), ignored);
  }
}

bool EndsInTheMiddle(int fd, off_t size) {
  char last = '\n';
  return size > 0 && ::pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

// What no machine of ours reaches: a number beyond it is damage, and would spoil every sum.
constexpr std::int64_t kMostTokens = 1'000'000'000;
constexpr double kMostMilliseconds = 1e11, kMostTokensPerSecond = 1e9;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 60;

// Reads fields that may be missing; one of another type, or beyond its limit, makes the record not whole.
class RecordReader {
 public:
  explicit RecordReader(const Json& json) : json_(json) {}
  bool whole() const { return whole_; }

  void Read(const char* name, std::string& value) {
    Take(name, &Json::is_string, [&](const Json& field) { value = field.get<std::string>(); });
  }
  void Read(const char* name, bool& value) {
    Take(name, &Json::is_boolean, [&](const Json& field) { value = field.get<bool>(); });
  }
  // Whole and not negative: as the parser gives them.
  template <std::integral T>
  void Read(const char* name, T& value, T most) {
    Take(name, &Json::is_number_unsigned, [&](const Json& field) {
      const auto number = field.get<std::uint64_t>();
      whole_ = whole_ && number <= static_cast<std::uint64_t>(most);
      value = static_cast<T>(number);
    });
  }
  void Read(const char* name, double& value, double most) {
    Take(name, &Json::is_number, [&](const Json& field) {
      value = field.get<double>();
      whole_ = whole_ && value >= 0 && value <= most;
    });
  }

 private:
  void Take(const char* name, bool (Json::*fits)() const noexcept, const auto& take) {
    const auto field = json_.find(name);
    if (field == json_.end()) return;
    if (((*field).*fits)()) return take(*field);
    whole_ = false;
  }

  const Json& json_;
  bool whole_ = true;
};

// False: there is none. A place that no log can be in is bad use, not a log without numbers.
Result<bool> IsThere(const std::filesystem::path& file) {
  struct stat info{};
  if (::lstat(file.c_str(), &info) == 0) return true;
  const int why = errno;
  if (why == ENOENT) return false;
  if (why != ENOTDIR && why != ELOOP) return FailErrno("look at", file, why);
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("cannot look at {}: {}; put a folder in the place of what is above it",
                          file.string(), std::strerror(why)));
}

Result<std::string> ReadLog(const std::filesystem::path& file) {
  auto text = ReadFile(file);
  std::error_code ignored;
  if (!text && std::filesystem::is_symlink(std::filesystem::symlink_status(file, ignored)))
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}; it is a link that cannot be followed: remove it", text.error().message));
  return text;
}

}  // namespace

std::string ToJsonLine(const GenerationRecord& r) {
  return DumpJson(Json{{"time", r.time},
                       {"model", r.model_hash},
                       {"prompt_tokens", r.prompt_tokens},
                       {"cached_tokens", r.cached_tokens},
                       {"generated_tokens", r.generated_tokens},
                       {"first_token_ms", r.first_token_ms},
                       {"tokens_per_second", r.tokens_per_second},
                       {"peak_memory_bytes", r.peak_memory_bytes},
                       {"cancelled", r.cancelled},
                       {"stop_reason", r.stop_reason},
                       {"repaired", r.repaired}});
}

Result<GenerationRecord> ParseRecord(std::string_view line) {
  GPTOSS_TRY(const Json json, ParseJson(line));
  if (!json.is_object() || !json.contains("time") || !json.contains("generated_tokens")) {
    return Fail(ErrorCode::kDataLoss, "not a line of this log");
  }
  GenerationRecord r;
  RecordReader reader(json);
  reader.Read("time", r.time);
  reader.Read("model", r.model_hash);
  reader.Read("prompt_tokens", r.prompt_tokens, kMostTokens);
  reader.Read("cached_tokens", r.cached_tokens, kMostTokens);
  reader.Read("generated_tokens", r.generated_tokens, kMostTokens);
  reader.Read("first_token_ms", r.first_token_ms, kMostMilliseconds);
  reader.Read("tokens_per_second", r.tokens_per_second, kMostTokensPerSecond);
  reader.Read("peak_memory_bytes", r.peak_memory_bytes, kMostBytes);
  reader.Read("cancelled", r.cancelled);
  reader.Read("repaired", r.repaired);
  reader.Read("stop_reason", r.stop_reason);
  if (!reader.whole()) return Fail(ErrorCode::kDataLoss, "a number of this line cannot be");
  return r;
}

void Telemetry::Record(const GenerationRecord& r, double decode_seconds, bool failed) {
  std::lock_guard lock(mutex_);
  MetricsSnapshot& m = metrics_;
  ++m.generations;
  m.cancelled += r.cancelled ? 1 : 0;
  m.failed += failed ? 1 : 0;
  m.repaired += r.repaired ? 1 : 0;
  m.prompt_tokens += static_cast<std::uint64_t>(std::max<std::int64_t>(r.prompt_tokens, 0));
  m.cached_tokens += static_cast<std::uint64_t>(std::max<std::int64_t>(r.cached_tokens, 0));
  m.generated_tokens += static_cast<std::uint64_t>(std::max<std::int64_t>(r.generated_tokens, 0));
  m.decode_seconds += decode_seconds;
  if (r.generated_tokens > 0) {
    const double seconds = r.first_token_ms / 1000;
    m.first_token_seconds += seconds;
    const auto& bounds = MetricsSnapshot::kFirstTokenBounds;
    ++m.first_token[static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), seconds) -
                                             bounds.begin())];
  }
  if (options_.log) Append(ToJsonLine(r) + "\n");
}

// Another process may write the same log: a line goes out in one write at the end of the file, and rotation
// is under a lock between processes.
void Telemetry::Append(const std::string& line) {
  if (!problem_.empty()) return;
  std::error_code failed;
  std::filesystem::create_directories(options_.folder, failed);
  if (!failed) ::chmod(options_.folder.c_str(), 0700);
  auto lock = FileLock::Acquire(options_.folder / "lock", FileLock::Kind::kExclusive, {},
                                std::chrono::milliseconds(200));
  if (!lock) {
    problem_ = lock.error().message;
    return;
  }
  const auto file = LogFile(options_.folder, 0);
  struct stat status{};
  if (::stat(file.c_str(), &status) == 0 && status.st_size > 0 &&
      static_cast<std::uint64_t>(status.st_size) + line.size() > options_.max_bytes) {
    Rotate(options_.folder, std::max(options_.files, 1));
  }
  // O_NONBLOCK: no wait for a FIFO, and it is refused.
  const int fd =
      ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  const int opened = errno;
  std::string why;
  if (fd < 0) {
    why = std::strerror(opened);
  } else if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    why = "it is not a regular file";
  } else {
    // A line that a full disk or a crash cut off must not take this one with it.
    const std::string whole = EndsInTheMiddle(fd, status.st_size) ? "\n" + line : line;
    if (::write(fd, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size()))
      why = std::strerror(errno);
  }
  if (!why.empty()) problem_ = fmt::format("{}: {}; generations are not logged", file.string(), why);
  if (fd >= 0) ::close(fd);
}

void Telemetry::CountLoad() {
  std::lock_guard lock(mutex_);
  ++metrics_.loads;
}
void Telemetry::CountUnload() {
  std::lock_guard lock(mutex_);
  ++metrics_.unloads;
}
void Telemetry::SetActive(std::uint64_t active) {
  std::lock_guard lock(mutex_);
  metrics_.active = active;
}
MetricsSnapshot Telemetry::metrics() const {
  std::lock_guard lock(mutex_);
  return metrics_;
}
std::string Telemetry::problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}

Result<TelemetryLog> ReadTelemetry(const std::filesystem::path& folder) {
  TelemetryLog log;
  int oldest = -1;
  while (oldest < 1000) {
    GPTOSS_TRY(const bool there, IsThere(LogFile(folder, oldest + 1)));
    if (!there) break;
    ++oldest;
  }
  for (int age = oldest; age >= 0; --age) {
    const std::filesystem::path file = LogFile(folder, age);
    GPTOSS_TRY(const std::string text, ReadLog(file));
    TelemetryLog::Damage damage{.file = file.string()};
    std::size_t number = 0;
    for (std::string_view rest = text; !rest.empty();) {
      ++number;
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      if (const std::string_view line = rest.substr(0, end); !line.empty()) {
        if (auto record = ParseRecord(line)) {
          log.records.push_back(std::move(*record));
        } else if (damage.lines++ == 0) {
          damage.first_line = number;
        }
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (damage.lines > 0) log.damage.push_back(std::move(damage));
  }
  return log;
}

std::size_t TelemetryLog::unreadable() const {
  std::size_t lines = 0;
  for (const Damage& file : damage) lines += file.lines;
  return lines;
}

std::string DescribeDamage(const TelemetryLog& log) {
  const std::size_t lines = log.unreadable();
  if (lines == 0) return "";
  std::string text = fmt::format("{} line{} of the log could not be read: ", lines, lines == 1 ? "" : "s");
  for (const TelemetryLog::Damage& file : log.damage)
    text += fmt::format("{}{} ({}, from line {})", &file == &log.damage.front() ? "" : ", ", file.file,
                        file.lines, file.first_line);
  return text;
}

std::string PrometheusText(const MetricsSnapshot& m, std::uint64_t weights, std::uint64_t kv,
                           std::uint64_t scratch, std::uint64_t resident, bool ready) {
  std::string out;
  const auto metric = [&](const char* name, const char* type, const char* help, auto value) {
    out += fmt::format("# HELP gptoss_{0} {1}\n# TYPE gptoss_{0} {2}\ngptoss_{0} {3}\n", name, help, type,
                       value);
  };
  metric("generations_total", "counter", "Generations that ended.", m.generations);
  metric("generations_cancelled_total", "counter", "Of them, cancelled.", m.cancelled);
  metric("generations_failed_total", "counter", "Of them, failed.", m.failed);
  metric("generations_repaired_total", "counter", "Of them, with malformed output that was repaired.",
         m.repaired);
  metric("prompt_tokens_total", "counter", "Tokens of prompts.", m.prompt_tokens);
  metric("cached_tokens_total", "counter", "Of them, not computed again.", m.cached_tokens);
  metric("generated_tokens_total", "counter", "Tokens generated.", m.generated_tokens);
  metric("decode_seconds_total", "counter", "Seconds spent generating after the first token.",
         m.decode_seconds);
  metric("loads_total", "counter", "Loads of the model.", m.loads);
  metric("unloads_total", "counter", "Unloads of the model.", m.unloads);
  metric("active_generations", "gauge", "Turns that run or wait.", m.active);
  metric("model_ready", "gauge", "1 while the model is in memory.", ready ? 1 : 0);
  out += "# HELP gptoss_memory_bytes Memory by use.\n# TYPE gptoss_memory_bytes gauge\n";
  for (const auto& [name, value] :
       {std::pair{"weights", weights}, {"kv", kv}, {"scratch", scratch}, {"resident", resident}}) {
    out += fmt::format("gptoss_memory_bytes{{use=\"{}\"}} {}\n", name, value);
  }
  out +=
      "# HELP gptoss_first_token_seconds From the request to the first token.\n"
      "# TYPE gptoss_first_token_seconds histogram\n";
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < m.first_token.size(); ++i) {
    below += m.first_token[i];
    const bool last = i == MetricsSnapshot::kFirstTokenBounds.size();
    out += fmt::format("gptoss_first_token_seconds_bucket{{le=\"{}\"}} {}\n",
                       last ? "+Inf" : fmt::format("{}", MetricsSnapshot::kFirstTokenBounds[i]), below);
  }
  out += fmt::format("gptoss_first_token_seconds_sum {}\ngptoss_first_token_seconds_count {}\n",
                     m.first_token_seconds, below);
  return out;
}

}  // namespace gptoss
