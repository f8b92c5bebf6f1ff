// What tests of text share: the real vocabulary and the golden files.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/tokenizer.h"

namespace gptoss::testing {

// The vocabulary of gpt-oss as tools/fetch_test_data.sh makes it; without it no test can run, which is told.
inline const Tokenizer& O200k() {
  static const auto tokenizer = [] {
    const std::filesystem::path root = GPTOSS_SOURCE_DIR;
    auto loaded = Tokenizer::FromFile(root / "build/test-data/o200k/tokenizer.json");
    if (!loaded) {
      std::fprintf(stderr, "%s\nrun tools/fetch_test_data.sh first\n", loaded.error().message.c_str());
      std::exit(1);
    }
    return *loaded;
  }();
  return *tokenizer;
}

inline Json Golden(const std::string& name) {
  const std::filesystem::path root = GPTOSS_SOURCE_DIR;
  return ParseJson(ReadFile(root / "tests/golden" / name).value()).value();
}

}  // namespace gptoss::testing
