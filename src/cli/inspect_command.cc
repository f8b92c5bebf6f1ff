// gptoss inspect: what a checkpoint is, whether it is whole, and how much memory it will need.
#include <fmt/format.h>
#include <openssl/evp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/model_option.h"
#include "cli/settings_option.h"
#include "cli/terminal.h"
#include "model/gguf.h"
#include "platform/system.h"
#include "provider/from_settings.h"
#include "provider/load_tokenizer.h"
#include "provider/memory_guard.h"

namespace gptoss::cli {
namespace {

struct InspectOptions {
  std::string path, model;
  std::int64_t context = 4096;
  bool json = false;
};

std::string Sha256(std::span<const std::byte> bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) != 1) return "";
  std::string hex;
  for (unsigned i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string Bytes(std::uint64_t n) {
  const auto value = static_cast<double>(n);
  if (n >= 1'000'000'000) return fmt::format("{:.2f} GB", value / 1e9);
  if (n >= 1'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.1f} kB", value / 1e3);
}

// What the memory guard would say of a load: the same numbers, so that nobody is surprised.
Json Memory(const Model& model, std::int64_t context, std::uint64_t process) {
  // As a load would be set up here; broken settings are no matter of a look at a file.
  const auto input = CurrentSettingsInput();
  const Settings::Pointer settings = input ? Settings::LoadTolerant(*input) : Settings::Defaults();
  const ProviderOptions options = ProviderOptionsFrom(*settings, false).value_or(ProviderOptions{});
  const CpuBackendOptions& backend = options.backend;
  const MemoryInfo machine = SystemMemory();
  const MemoryEstimate estimate = EstimateMemory(model, backend, context, 1, process);
  const MemoryVerdict verdict = Preflight(model, backend, context, options.memory, machine, process);
  return {{"context", context},
          {"weights", estimate.weights},
          {"kv", estimate.kv},
          {"scratch", estimate.scratch},
          {"process", estimate.process},
          {"total", estimate.total()},
          {"available", machine.available},
          {"fits", verdict.answer == MemoryVerdict::Answer::kGo},
          {"context_that_fits", verdict.context}};
}

// GGUF files of gpt-oss do not say which layers look through the window; a few others do.
bool AssumesWindowLayers(const Model& model) {
  if (model.layout != "gguf" || model.files.empty()) return false;
  const auto gguf = ReadGguf(*model.files.front());
  return gguf && !gguf->metadata.contains("gpt-oss.attention.sliding_window_pattern");
}

Json Describe(const Checkpoint& checkpoint, std::int64_t context, std::uint64_t process) {
  const Model& model = *checkpoint.model;
  const ModelConfig& c = model.config;
  std::int64_t windows = std::ranges::count(c.layer_types, LayerType::kSlidingWindow);
  Json files = Json::array();
  for (const auto& file : model.files)
    files.push_back({{"name", file->name()}, {"bytes", file->bytes().size()}});
  Json tokenizer = nullptr;
  if (checkpoint.tokenizer) {
    const auto loaded = LoadTokenizer(checkpoint);
    tokenizer = {{"source", checkpoint.tokenizer->json ? "tokenizer.json" : "GGUF metadata"}};
    if (checkpoint.tokenizer->json) tokenizer["sha256"] = Sha256(checkpoint.tokenizer->json->bytes());
    if (loaded) {
      tokenizer["tokens"] = (*loaded)->size();
    } else {
      tokenizer["error"] = loaded.error().message;
    }
  }
  const LayerWeights& layer = model.layers.front();
  return {
      {"name", model.name},
      {"layout", model.layout},
      {"files", std::move(files)},
      {"weight_bytes", model.weight_bytes},
      {"formats",
       {{"experts", WeightFormatName(layer.gate.first.format)},
        {"attention", WeightFormatName(layer.q.format)},
        {"embedding", WeightFormatName(model.embedding.format)},
        {"unembedding", WeightFormatName(model.unembedding.format)}}},
      {"shape",
       {{"layers", c.layers},
        {"window_layers", windows},
        {"window_layers_assumed", AssumesWindowLayers(model)},
        {"window", c.window},
        {"hidden", c.hidden},
        {"heads", c.heads},
        {"kv_heads", c.kv_heads},
        {"head_dim", c.head_dim},
        {"experts", c.experts},
        {"experts_per_token", c.experts_per_token},
        {"expert_width", c.expert_width},
        {"vocab", c.vocab},
        {"max_context", c.max_context}}},
      {"tokenizer", std::move(tokenizer)},
      {"chat_template", checkpoint.chat_template ? Json{{"sha256", Sha256(checkpoint.chat_template->bytes())}}
                                                 : Json(nullptr)},
      {"memory", Memory(model, context, process)},
  };
}

std::string Table(const Json& d) {
  const auto number = [](const Json& v) { return v.get<std::int64_t>(); };
  const Json &shape = d["shape"], &memory = d["memory"], &formats = d["formats"];
  std::string out = fmt::format("{}\n  layout        {} ({} file{}, {} of weights)\n",
                                WithoutControls(d["name"].get<std::string>()), d["layout"].get<std::string>(),
                                d["files"].size(), d["files"].size() == 1 ? "" : "s",
                                Bytes(d["weight_bytes"].get<std::uint64_t>()));
  out += fmt::format("  formats       experts {}, attention {}, embedding {}, unembedding {}\n",
                     formats["experts"].get<std::string>(), formats["attention"].get<std::string>(),
                     formats["embedding"].get<std::string>(), formats["unembedding"].get<std::string>());
  out += fmt::format("  layers        {} ({} with a window of {}), hidden {}\n", number(shape["layers"]),
                     number(shape["window_layers"]), number(shape["window"]), number(shape["hidden"]));
  if (shape["window_layers_assumed"].get<bool>())
    out += "                the file does not say which have it: every second one, as in gpt-oss\n";
  out += fmt::format("  attention     {} heads over {} key-value heads of {}\n", number(shape["heads"]),
                     number(shape["kv_heads"]), number(shape["head_dim"]));
  out += fmt::format("  experts       {}, {} per token, width {}\n", number(shape["experts"]),
                     number(shape["experts_per_token"]), number(shape["expert_width"]));
  out += fmt::format("  vocabulary    {} rows, context up to {} tokens\n", number(shape["vocab"]),
                     number(shape["max_context"]));
  const Json& tokenizer = d["tokenizer"];
  if (tokenizer.is_null()) {
    out += "  tokenizer     none: only `gptoss eval` can use this checkpoint\n";
  } else if (tokenizer.contains("error")) {
    out += fmt::format("  tokenizer     unusable: {}\n", tokenizer["error"].get<std::string>());
  } else {
    out +=
        fmt::format("  tokenizer     {}, {} tokens{}\n", tokenizer["source"].get<std::string>(),
                    number(tokenizer["tokens"]),
                    tokenizer.contains("sha256") ? ", sha256 " + tokenizer["sha256"].get<std::string>() : "");
  }
  out += d["chat_template"].is_null()
             ? "  chat template none (not needed: Harmony is rendered by gptoss itself)\n"
             : fmt::format("  chat template sha256 {}\n", d["chat_template"]["sha256"].get<std::string>());
  const auto bytes = [&](const char* part) { return Bytes(memory[part].get<std::uint64_t>()); };
  const bool fits = memory["fits"].get<bool>();
  const std::int64_t other = number(memory["context_that_fits"]);
  out += fmt::format(
      "  memory        {}: {} of weights, {} for a context of {} tokens, {} to work in; {} available{}\n",
      bytes("total"), bytes("weights"), bytes("kv"), number(memory["context"]), bytes("scratch"),
      bytes("available"),
      fits        ? ""
      : other > 0 ? fmt::format(": enough for a context of {}", other)
                  : ": not enough");
  return out;
}

}  // namespace

void AddInspectCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("inspect", "What a checkpoint is: layout, shapes, hashes, memory it will need");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("path", options->path,
                      "checkpoint (a folder or a .gguf); without it: -m, GPTOSS_MODEL, the demo");
  AddModelOption(*command, options->model);
  command->add_option("--context", options->context, "tokens to plan memory for")
      ->check(CLI::Range(1, 1 << 24));
  command->add_flag("--json", options->json, "one JSON object");
  command->callback([options, &exit_code] {
    const std::uint64_t process = ResidentMemory();  // before anything of the model is read
    const auto checkpoint = OpenSelectedCheckpoint(options->path.empty() ? options->model : options->path);
    if (!checkpoint) {
      Complain(checkpoint.error().message);
      exit_code = ExitCode(checkpoint.error().code);
      return;
    }
    const Json description = Describe(*checkpoint, options->context, process);
    StandardOutput().Write(options->json ? DumpJson(description) + "\n" : Table(description));
  });
}

}  // namespace gptoss::cli
