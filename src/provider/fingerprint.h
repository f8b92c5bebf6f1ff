// A short name for the exact model, for logs that must tell two models apart.
#pragma once

#include <string>

#include "model/weights.h"

namespace gptoss {

// 12 hex digits of a SHA-256 over the files' sizes and their first 64 KiB (configuration, tensor tables).
// Cheap, and different for different checkpoints; not a proof of integrity, which `gptoss verify` gives.
std::string Fingerprint(const Model& model);

}  // namespace gptoss
