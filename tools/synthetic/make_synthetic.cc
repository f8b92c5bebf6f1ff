// make_synthetic: a checkpoint of gpt-oss with random weights, to measure with. See README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

#include "base/file.h"
#include "synthetic/plan.h"
#include "synthetic/writers.h"

namespace gptoss::synthetic {
namespace {

struct Options {
  std::string layout = "mlx", out, tokenizer;
  std::uint64_t seed = 1, shard_mb = 5000;
  Shape shape;
};

Status CheckShape(const Shape& s) {
  if (s.hidden % 64 != 0 || s.expert_width % 64 != 0 || s.heads * s.head_dim % 64 != 0 ||
      s.heads % s.kv_heads != 0 || s.experts_per_token > s.experts) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "--hidden, --expert-width and heads times --head-dim have to be multiples of 64, --heads one of "
        "--kv-heads, and --experts at least 4");
  }
  return {};
}

Status Run(const Options& o) {
  GPTOSS_CHECK_OK(CheckShape(o.shape));
  const std::filesystem::path out = o.out;
  std::error_code error;
  if (std::filesystem::exists(out, error) && !std::filesystem::is_empty(out, error)) {
    return Fail(ErrorCode::kAlreadyExists, fmt::format("{} is there already; remove it first", o.out));
  }
  std::string text;
  if (!o.tokenizer.empty()) {
    GPTOSS_TRY(text, ReadFile(o.tokenizer));
  }
  if (o.layout == "gguf") {
    Json tokenizer;
    if (!text.empty()) {
      GPTOSS_TRY(tokenizer, ParseJson(text));
    }
    return WriteGguf(out, o.shape, GgufTensors(o.shape), tokenizer, o.seed);
  }
  const bool mlx = o.layout == "mlx";
  std::filesystem::create_directories(out, error);
  if (error)
    return Fail(ErrorCode::kPermissionDenied, fmt::format("cannot make {}: {}", o.out, error.message()));
  if (!text.empty()) GPTOSS_CHECK_OK(WriteFileAtomic(out / "tokenizer.json", text));
  return WriteSafetensors(out, mlx ? MlxTensors(o.shape) : OpenAiTensors(o.shape), Config(o.shape, mlx),
                          o.shard_mb * 1'000'000, o.seed);
}

int Main(int argc, char** argv) {
  CLI::App app("writes a checkpoint of gpt-oss with random weights");
  Options o;
  app.add_option("--layout", o.layout, "mlx (a folder), openai (a folder) or gguf (a file)")
      ->check(CLI::IsMember({"mlx", "openai", "gguf"}));
  app.add_option("--out", o.out, "the folder or the .gguf file to write")->required();
  app.add_option("--tokenizer", o.tokenizer, "a tokenizer.json to carry; without it only ids can be used");
  app.add_option("--seed", o.seed, "the same seed gives the same bytes");
  app.add_option("--shard-mb", o.shard_mb, "megabytes per .safetensors file")
      ->check(CLI::Range(1, 1'000'000));
  const auto count = [&](const char* name, std::int64_t& to, std::int64_t limit) {
    app.add_option(name, to)->check(CLI::Range(std::int64_t{1}, limit))->capture_default_str();
  };
  count("--layers", o.shape.layers, 128);
  count("--hidden", o.shape.hidden, 16384);
  count("--heads", o.shape.heads, 256);
  count("--kv-heads", o.shape.kv_heads, 256);
  count("--head-dim", o.shape.head_dim, 256);
  count("--experts", o.shape.experts, 256);
  count("--expert-width", o.shape.expert_width, 16384);
  count("--vocab", o.shape.vocab, 1 << 20);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (const Status status = Run(o); !status) {
    std::cerr << "make_synthetic: error: " << status.error().message << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace gptoss::synthetic

int main(int argc, char** argv) {
  try {
    return gptoss::synthetic::Main(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "make_synthetic: error: " << e.what() << '\n';
    return 1;
  }
}
