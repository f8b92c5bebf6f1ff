// The local log of numbers, summed up for people and for programs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "provider/telemetry.h"

namespace gptoss::cli {

// Nearest rank: the smallest value that at least `percent` of all do not exceed. 0 where there are none.
double Percentile(std::vector<double> values, double percent);
// One character per value, of eight heights between the least and the greatest; "" where there are none.
std::string Sparkline(std::span<const double> values);

// A table with p50, p95, the greatest, and a line of the latest; then how generations ended.
std::string TelemetryTable(const TelemetryLog& log);
Json TelemetryJson(const TelemetryLog& log);

}  // namespace gptoss::cli
