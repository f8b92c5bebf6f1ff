// What `gptoss --version` says.
#pragma once

#include <string>

namespace gptoss::cli {

// "0.1.0"
std::string Version();
// "gptoss 0.1.0 (commit …)", then compiler, kernels and CPU: what a bug report needs.
std::string VersionText();

}  // namespace gptoss::cli
