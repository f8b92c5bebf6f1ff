// What a program may know of the model at any moment: one of six states, and what to do about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss {

enum class ModelState : std::uint8_t {
  kUnavailable,   // cannot be had: platform, policy, damage; `reason` and `advice` say what to do
  kNotInstalled,  // `download_bytes` would have to be fetched
  kDownloading,   // `fraction`, `eta_seconds`
  kInstalled,     // on the disk, not in memory; the next prompt loads it
  kLoading,       // `fraction`
  kReady,         // answers at once
};
constexpr int kModelStates = 6;
std::string_view ModelStateName(ModelState state);  // "not_installed"

// Whether a provider may go from one state to another. A state may follow itself (progress).
bool TransitionAllowed(ModelState from, ModelState to);

struct Availability {
  ModelState state = ModelState::kNotInstalled;
  std::string reason;  // kUnavailable: one sentence; else what caused the state, if worth telling
  std::string advice;  // what to do; "" if nothing
  std::uint64_t download_bytes = 0;                  // kNotInstalled: 0 if not known
  double fraction = 0;                               // kDownloading, kLoading: 0 to 1
  double eta_seconds = -1;                           // kDownloading: -1 not known yet
  ErrorCode error = ErrorCode::kFailedPrecondition;  // what a load fails with where this is kUnavailable

  friend bool operator==(const Availability&, const Availability&) = default;
};

}  // namespace gptoss
