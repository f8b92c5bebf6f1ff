#include "provider/from_settings.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/file.h"
#include "settings/paths.h"

namespace gptoss {
namespace {

constexpr std::size_t kMaxTokenFile = 64 << 10;

bool ChanceIsSet(const Settings& settings) {
  constexpr std::array<std::string_view, 5> kSampling = {"generation.temperature", "generation.top_p",
                                                         "generation.top_k", "generation.min_p",
                                                         "generation.seed"};
  return std::ranges::any_of(kSampling, [&](std::string_view name) { return IsSet(settings, name); });
}

void Generation(const Settings& settings, bool demo, ProviderOptions& options) {
  options.temperature = demo && !ChanceIsSet(settings) ? 0 : settings.Number("generation.temperature");
  options.top_p = settings.Number("generation.top_p");
  options.min_p = settings.Number("generation.min_p");
  options.top_k = static_cast<std::int32_t>(settings.Integer("generation.top_k"));
  if (const auto seed = settings.IntegerIfSet("generation.seed"))
    options.seed = static_cast<std::uint64_t>(*seed);
  options.max_tokens = settings.IntegerIfSet("generation.max_tokens").value_or(0);
  if (const auto effort = harmony::ParseReasoningEffort(settings.Enum("generation.reasoning_effort")))
    options.effort = *effort;
}

void Memory(const Settings& settings, ProviderOptions& options) {
  options.memory.floor_total = settings.Bytes("memory.floor");
  options.memory.advised_total = settings.Bytes("memory.advised");
  options.memory.bound = settings.BytesIfSet("memory.bound").value_or(0);
  const Duration idle = settings.Time("memory.idle_unload");
  options.idle_unload = idle.never ? std::chrono::milliseconds(-1) : idle.length;
  options.preload = settings.Bool("memory.preload");
  options.context_tokens = settings.IntegerIfSet("memory.context_tokens").value_or(0);
  options.pressure = settings.Enum("memory.pressure_policy") == "cancel" ? PressurePolicy::kCancelTurns
                                                                         : PressurePolicy::kFinishTurns;
}

std::filesystem::path CacheIn(const Settings& settings, const hub::HubOptions& environment) {
  return settings.PathIfSet("hub.cache_dir").value_or(environment.cache_dir);
}

}  // namespace

bool IsSet(const Settings& settings, std::string_view name) {
  const auto index = FindSetting(name);
  return index && settings.entry(*index).origin != SettingOrigin::kDefault;
}

Result<ProviderOptions> ProviderOptionsFrom(const Settings& settings, bool demo) {
  ProviderOptions options;
  Generation(settings, demo, options);
  Memory(settings, options);
  options.backend.threads = static_cast<int>(settings.Integer("engine.threads"));
  options.backend.precise = settings.Bool("engine.precise");
  options.backend.kv_bits = static_cast<int>(settings.Integer("memory.kv_bits"));
  options.buffer_chunks = static_cast<std::size_t>(settings.Integer("stream.buffer_chunks"));
  options.log = StderrLog(ParseLogLevel(settings.Enum("log.level")).value_or(LogLevel::kWarning));
  options.telemetry.log = settings.Bool("telemetry.enabled");
  options.telemetry.max_bytes = settings.Bytes("telemetry.log_max_bytes");
  options.telemetry.files = static_cast<int>(settings.Integer("telemetry.log_files"));
  if (options.telemetry.log) {
    GPTOSS_TRY(options.telemetry.folder, TelemetryFolder());
  }
  return options;
}

Result<hub::HubOptions> HubOptionsFrom(const Settings& settings) {
  hub::HubOptions options = hub::HubOptionsFromEnvironment();
  // What a user has set here goes before the variables of the Hub's other clients; what nobody has set leaves
  // them alone.
  if (IsSet(settings, "hub.endpoint")) options.endpoint = settings.String("hub.endpoint");
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  options.cache_dir = CacheIn(settings, options).string();
  if (const auto file = settings.PathIfSet("hub.token_file")) {
    GPTOSS_TRY(const std::filesystem::path expanded, ExpandHome(file->string()));
    auto text = ReadFile(expanded, kMaxTokenFile);
    if (!text) return Fail(ErrorCode::kInvalidArgument, text.error().message);  // naming it was bad use
    text->resize(std::min(text->find_first_of("\r\n"), text->size()));
    options.token = std::move(*text);
  }
  if (IsSet(settings, "hub.max_connections"))
    options.max_connections = static_cast<int>(settings.Integer("hub.max_connections"));
  if (IsSet(settings, "hub.part_size")) options.part_bytes = settings.Bytes("hub.part_size");
  if (IsSet(settings, "hub.retry_limit"))
    options.retry_limit = static_cast<int>(settings.Integer("hub.retry_limit"));
  if (IsSet(settings, "hub.stall_timeout")) options.stall_timeout = settings.Time("hub.stall_timeout").length;
  if (IsSet(settings, "hub.min_free_disk")) options.disk_margin_bytes = settings.Bytes("hub.min_free_disk");
  if (settings.Bool("hub.offline")) options.offline = true;
  return options;
}

std::filesystem::path HubCacheFrom(const Settings& settings) {
  return CacheIn(settings, hub::HubOptionsFromEnvironment());
}

Result<std::filesystem::path> TelemetryFolder() {
  GPTOSS_TRY(const std::filesystem::path state, StateDirectory());
  return state / "telemetry";
}

}  // namespace gptoss
