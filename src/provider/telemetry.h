// Counts and, where the user asked for it, a local log: one JSON line per generation, never any text, never
// the network.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gptoss {

struct TelemetryOptions {
  bool log = false;                   // off unless a developer build or --telemetry
  std::filesystem::path folder;       // of the log files; made with mode 0700 when first written
  std::uint64_t max_bytes = 4 << 20;  // of a file; then it is rotated
  int files = 4;                      // kept, the newest included
};

// One generation. Numbers and names of ours; nothing of what was said.
struct GenerationRecord {
  std::string time;        // RFC 3339, UTC, milliseconds
  std::string model_hash;  // of the checkpoint: first 12 hex digits
  std::int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  double first_token_ms = 0, tokens_per_second = 0;
  std::uint64_t peak_memory_bytes = 0;
  bool cancelled = false, repaired = false;
  std::string stop_reason;
};
std::string ToJsonLine(const GenerationRecord& record);
// kDataLoss: a line that is none of ours, or with a field of another type, a negative or an absurd number.
Result<GenerationRecord> ParseRecord(std::string_view line);

// Since the provider was made. Histogram bounds: kFirstTokenBounds, in seconds.
struct MetricsSnapshot {
  static constexpr std::array<double, 8> kFirstTokenBounds = {0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15};
  std::uint64_t generations = 0, cancelled = 0, failed = 0, repaired = 0, loads = 0, unloads = 0;
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  double first_token_seconds = 0, decode_seconds = 0;                     // sums
  std::array<std::uint64_t, kFirstTokenBounds.size() + 1> first_token{};  // not cumulative
  std::uint64_t active = 0;
};
// Prometheus' text format 0.0.4.
std::string PrometheusText(const MetricsSnapshot& metrics, std::uint64_t weights_bytes,
                           std::uint64_t kv_bytes, std::uint64_t scratch_bytes, std::uint64_t resident_bytes,
                           bool ready);

// Safe from any thread.
class Telemetry {
 public:
  explicit Telemetry(TelemetryOptions options) : options_(std::move(options)) {}
  // A log that cannot be written is told once (`problem`) and never stops a generation.
  void Record(const GenerationRecord& record, double decode_seconds, bool failed);
  void CountLoad();
  void CountUnload();
  void SetActive(std::uint64_t active);
  MetricsSnapshot metrics() const;
  std::string problem() const;

 private:
  void Append(const std::string& line);
  const TelemetryOptions options_;
  mutable std::mutex mutex_;
  MetricsSnapshot metrics_;
  std::string problem_;
};

// All records of a folder's log files, oldest first; lines that are none of ours are counted, by file.
struct TelemetryLog {
  struct Damage {
    std::string file;
    std::size_t lines = 0, first_line = 0;  // how many, and where the first is, from 1
  };
  std::vector<GenerationRecord> records;
  std::vector<Damage> damage;
  std::size_t unreadable() const;
};
// "3 lines of the log could not be read: FILE (3, from line 1)"; "" where all could.
std::string DescribeDamage(const TelemetryLog& log);
// No folder, or an empty one, is an empty log. kInvalidArgument: what is there cannot be a log (a folder, a
// FIFO, a link to itself, a file where a folder should be).
Result<TelemetryLog> ReadTelemetry(const std::filesystem::path& folder);

}  // namespace gptoss
