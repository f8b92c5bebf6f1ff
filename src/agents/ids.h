// Names that nobody else gives.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace gptoss::agents {

// "call_3f0a…": 128 bits of chance. Any thread.
inline std::string NewId(std::string_view prefix) {
  thread_local std::random_device chance;
  const auto word = [&] { return (std::uint64_t{chance()} << 32) | chance(); };
  return fmt::format("{}_{:016x}{:016x}", prefix, word(), word());
}

}  // namespace gptoss::agents
