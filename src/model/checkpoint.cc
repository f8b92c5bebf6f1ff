#include "model/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "base/json.h"
#include "model/gguf_split.h"
#include "model/layout.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;
using FilePointer = std::shared_ptr<const MappedFile>;
// Opens a file of the checkpoint by its name; kNotFound when it has none.
using Opener = std::function<Result<FilePointer>(const std::string&)>;

Result<Checkpoint> OpenGguf(const fs::path& path) {
  GPTOSS_TRY(GgufSet set, OpenGgufSet(path));
  const GgufFile& gguf = set.gguf;
  auto model = std::make_shared<Model>();
  model->name = set.files.front()->name();
  GPTOSS_TRY(model->config, ModelConfigFromGguf(gguf, model->name));
  GPTOSS_CHECK_OK(FillFromGguf(gguf, *model));
  Checkpoint checkpoint;
  const auto tokens = gguf.metadata.find("tokenizer.ggml.tokens");
  const auto types = gguf.metadata.find("tokenizer.ggml.token_type");
  if (tokens != gguf.metadata.end()) {
    const auto* texts = std::get_if<std::vector<std::string_view>>(&tokens->second.value);
    const auto* kinds =
        types == gguf.metadata.end() ? nullptr : std::get_if<std::vector<std::int64_t>>(&types->second.value);
    if (texts == nullptr || (kinds != nullptr && kinds->size() != texts->size())) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{}: tokenizer.ggml.tokens and token_type do not fit together", model->name));
    }
    TokenizerSource source;
    for (std::size_t i = 0; i < texts->size(); ++i) {
      source.gguf_tokens.push_back(
          {(*texts)[i], kinds == nullptr ? 1 : static_cast<std::int32_t>((*kinds)[i])});
    }
    checkpoint.tokenizer = std::move(source);
  }
  model->files = std::move(set.files);
  checkpoint.model = std::move(model);
  return checkpoint;
}

// The .safetensors files: the shards that the index names, or model.safetensors alone.
Result<std::vector<std::string>> ShardNames(const Opener& open, std::string_view name) {
  auto index = open("model.safetensors.index.json");
  if (!index) {
    if (index.error().code != ErrorCode::kNotFound) return std::unexpected(index.error());
    return std::vector<std::string>{"model.safetensors"};
  }
  auto json = ParseJson((*index)->text());
  if (!json) return std::unexpected(std::move(json).error().Within((*index)->name()));
  const auto map = json->find("weight_map");
  if (!json->is_object() || map == json->end() || !map->is_object()) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{}: no weight_map", (*index)->name()));
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->items()) {
    const std::string shard = file.is_string() ? file.get<std::string>() : "";
    if (shard.empty() || shard.find('/') != std::string::npos || shard.find('\\') != std::string::npos ||
        shard.find('\0') != std::string::npos || shard == "." || shard == "..") {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{}: tensor {} is said to be in {}, which is no plain file name",
                              (*index)->name(), tensor, DumpJson(file).substr(0, 100)));
    }
    names.insert(shard);
  }
  if (names.empty())
    return Fail(ErrorCode::kDataLoss, fmt::format("{}: an empty weight_map in the index", name));
  return std::vector<std::string>(names.begin(), names.end());
}

Result<Checkpoint> OpenSafetensors(const Opener& open, std::string_view name) {
  auto config_file = open("config.json");
  if (!config_file) return std::unexpected(config_file.error());
  auto config = ParseJson((*config_file)->text());
  if (!config) return std::unexpected(std::move(config).error().Within((*config_file)->name()));
  auto model = std::make_shared<Model>();
  model->name = name;
  GPTOSS_TRY(model->config, ModelConfigFromJson(*config, (*config_file)->name()));
  GPTOSS_TRY(const std::vector<std::string> shards, ShardNames(open, name));
  TensorMap tensors;
  for (const std::string& shard : shards) {
    auto file = open(shard);
    if (!file) return std::unexpected(file.error());
    GPTOSS_CHECK_OK(ReadSafetensors(**file, tensors));
    model->files.push_back(*std::move(file));
  }
  GPTOSS_CHECK_OK(FillFromSafetensors(tensors, *config, *model));
  Checkpoint checkpoint;
  if (auto tokenizer = open("tokenizer.json")) {
    checkpoint.tokenizer = TokenizerSource{*std::move(tokenizer), {}};
  } else if (tokenizer.error().code != ErrorCode::kNotFound) {
    return std::unexpected(tokenizer.error());
  }
  if (auto chat_template = open("chat_template.jinja")) checkpoint.chat_template = *std::move(chat_template);
  checkpoint.model = std::move(model);
  return checkpoint;
}

Result<Checkpoint> OpenFolder(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> ggufs;
  bool has_config = false;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".gguf") ggufs.push_back(it->path());
    has_config |= it->path().filename() == "config.json";
  }
  if (error) {
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("cannot list {}: {}", folder.string(), error.message()));
  }
  if (has_config) {
    return OpenSafetensors([&](const std::string& name) { return MappedFile::Open(folder / name); },
                           folder.string());
  }
  if (ggufs.size() == 1) return OpenGguf(ggufs[0]);
  if (const fs::path* first = FirstOfOneSet(ggufs)) return OpenGguf(*first);
  if (!ggufs.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} holds {} .gguf files that are not the parts of one model; name one of them",
                            folder.string(), ggufs.size()));
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("{} holds no checkpoint: expected config.json with *.safetensors, or a .gguf file",
                          folder.string()));
}

}  // namespace

Result<Checkpoint> OpenCheckpoint(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return Fail(ErrorCode::kNotFound, fmt::format("{} does not exist", path.string()));
  if (fs::is_directory(status)) return OpenFolder(path);
  if (path.extension() == ".gguf") return OpenGguf(path);
  const std::string name = path.filename().string();
  if (path.extension() == ".safetensors" || name == "config.json" || name.ends_with(".index.json")) {
    return OpenFolder(path.has_parent_path() ? path.parent_path() : fs::path("."));
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format(
          "{} is no checkpoint: expected a folder with config.json and *.safetensors, or a .gguf file",
          path.string()));
}

Result<Checkpoint> OpenCheckpoint(const MemoryFiles& files, std::string_view name) {
  return OpenSafetensors(
      [&](const std::string& file) -> Result<FilePointer> {
        const auto it = files.find(file);
        if (it == files.end()) return Fail(ErrorCode::kNotFound, fmt::format("{}: no file {}", name, file));
        return it->second;
      },
      name);
}

}  // namespace gptoss
