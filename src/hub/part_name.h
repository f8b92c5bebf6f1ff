// Weights in parts: model-00002-of-00003.safetensors, gpt-oss-120b-mxfp4-00001-of-00003.gguf.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gptoss::hub {

struct PartName {
  std::string before, after;  // around "00002-of-00003"
  int number = 0, of = 0;

  bool SameSeries(const PartName& other) const {
    return before == other.before && after == other.after && of == other.of;
  }
  // The path of another part.
  std::string PathOf(int part) const;
  // "model-*-of-00003.safetensors", for a person.
  std::string Series() const;
};

// nullopt: not named as a part.
std::optional<PartName> ParsePartName(std::string_view path);

}  // namespace gptoss::hub
