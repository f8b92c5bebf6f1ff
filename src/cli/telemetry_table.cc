#include "cli/telemetry_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <string_view>

namespace gptoss::cli {
namespace {

constexpr std::size_t kSparks = 40;

struct Series {
  const char* name;  // of the JSON
  const char* title;
  double scale;  // for the table
  double (*value)(const GenerationRecord&);
  bool generated_only;  // a turn without a token has none of it
};

constexpr std::array<Series, 6> kSeries = {{
    {"first_token_ms", "first token, ms", 1, [](const GenerationRecord& r) { return r.first_token_ms; },
     true},
    {"tokens_per_second", "tokens/s", 1, [](const GenerationRecord& r) { return r.tokens_per_second; }, true},
    {"prompt_tokens", "prompt tokens", 1,
     [](const GenerationRecord& r) { return static_cast<double>(r.prompt_tokens); }, false},
    {"cached_tokens", "cached tokens", 1,
     [](const GenerationRecord& r) { return static_cast<double>(r.cached_tokens); }, false},
    {"generated_tokens", "generated tokens", 1,
     [](const GenerationRecord& r) { return static_cast<double>(r.generated_tokens); }, false},
    {"peak_memory_bytes", "peak memory, MB", 1e-6,
     [](const GenerationRecord& r) { return static_cast<double>(r.peak_memory_bytes); }, false},
}};

std::vector<double> ValuesOf(const Series& series, const TelemetryLog& log) {
  std::vector<double> values;
  for (const GenerationRecord& record : log.records) {
    const double value = series.value(record);
    if (!series.generated_only || (record.generated_tokens > 0 && value > 0)) values.push_back(value);
  }
  return values;
}

std::string Number(double value) { return fmt::format("{:.{}f}", value, value < 100 ? 1 : 0); }

struct Counts {
  std::size_t cancelled = 0, repaired = 0;
  std::map<std::string, std::size_t> stops, models;
};

Counts Count(const TelemetryLog& log) {
  Counts counts;
  for (const GenerationRecord& record : log.records) {
    counts.cancelled += record.cancelled ? 1 : 0;
    counts.repaired += record.repaired ? 1 : 0;
    ++counts.stops[record.stop_reason];
    if (!record.model_hash.empty()) ++counts.models[record.model_hash];
  }
  return counts;
}

}  // namespace

double Percentile(std::vector<double> values, double percent) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return values[std::min(index, values.size() - 1)];
}

std::string Sparkline(std::span<const double> values) {
  constexpr std::array<std::string_view, 8> kHeights = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty()) return "";
  const auto [least, greatest] = std::ranges::minmax(values);
  std::string line;
  for (const double value : values) {
    const double part = greatest > least ? (value - least) / (greatest - least) : 0;
    line += kHeights[std::min<std::size_t>(static_cast<std::size_t>(part * kHeights.size()), 7)];
  }
  return line;
}

std::string TelemetryTable(const TelemetryLog& log) {
  if (log.records.empty()) return "";
  const Counts counts = Count(log);
  std::string text =
      fmt::format("{} generation{} from {} to {}; {} cancelled, {} repaired\n\n", log.records.size(),
                  log.records.size() == 1 ? "" : "s", log.records.front().time, log.records.back().time,
                  counts.cancelled, counts.repaired);
  text += fmt::format("{:<18}{:>10}{:>10}{:>10}   {}\n", "", "p50", "p95", "greatest", "the latest");
  for (const Series& series : kSeries) {
    const std::vector<double> values = ValuesOf(series, log);
    if (values.empty()) continue;
    const std::span<const double> latest = std::span(values).last(std::min(values.size(), kSparks));
    text += fmt::format("{:<18}{:>10}{:>10}{:>10}   {}\n", series.title,
                        Number(series.scale * Percentile(values, 50)),
                        Number(series.scale * Percentile(values, 95)),
                        Number(series.scale * Percentile(values, 100)), Sparkline(latest));
  }
  text += "\nended by ";
  std::string_view between;
  for (const auto& [reason, count] : counts.stops) {
    text += fmt::format("{}{} {}", between, reason, count);
    between = ", ";
  }
  text += "\n";
  if (counts.models.size() > 1) text += fmt::format("{} models\n", counts.models.size());
  if (const std::string damage = DescribeDamage(log); !damage.empty()) text += damage + "\n";
  return text;
}

Json TelemetryJson(const TelemetryLog& log) {
  const Counts counts = Count(log);
  Json damage = Json::array();
  for (const TelemetryLog::Damage& file : log.damage)
    damage.push_back({{"file", file.file}, {"lines", file.lines}, {"first_line", file.first_line}});
  Json out{{"generations", log.records.size()},
           {"cancelled", counts.cancelled},
           {"repaired", counts.repaired},
           {"unreadable_lines", log.unreadable()},
           {"damage", std::move(damage)},
           {"first_time", log.records.empty() ? Json(nullptr) : Json(log.records.front().time)},
           {"last_time", log.records.empty() ? Json(nullptr) : Json(log.records.back().time)}};
  for (const Series& series : kSeries) {
    const std::vector<double> values = ValuesOf(series, log);
    out[series.name] = Json{
        {"p50", Percentile(values, 50)}, {"p95", Percentile(values, 95)}, {"max", Percentile(values, 100)}};
  }
  out["stop_reasons"] = counts.stops;
  out["models"] = counts.models;
  return out;
}

}  // namespace gptoss::cli
