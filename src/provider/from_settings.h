// What the settings mean for a provider: the one place where names of settings become options.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "hub/hub_client.h"
#include "provider/agent_provider.h"
#include "settings/settings.h"

namespace gptoss {

// True where somebody has set it, whatever the value.
bool IsSet(const Settings& settings, std::string_view name);

// generation.*, engine.*, memory.*, stream.*, telemetry.*, log.*. `demo`: the embedded demo answers, which
// does so without chance until any setting of sampling is changed. `model` and the functions are left to the
// caller. kFailedPrecondition: the log of numbers is wanted and there is no home folder for it.
Result<ProviderOptions> ProviderOptionsFrom(const Settings& settings, bool demo);

// hub.*, over what the environment says for the Hub's other clients.
Result<hub::HubOptions> HubOptionsFrom(const Settings& settings);

// The `cache_dir` of HubOptionsFrom, for whoever asks for nothing else: no token is needed. "": nowhere.
std::filesystem::path HubCacheFrom(const Settings& settings);

// Where the log of numbers is: `telemetry` in StateDirectory().
Result<std::filesystem::path> TelemetryFolder();

}  // namespace gptoss
