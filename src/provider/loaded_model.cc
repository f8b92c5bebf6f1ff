#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "provider/generation.h"
#include "provider/load_tokenizer.h"
#include "provider/turn.h"

namespace gptoss {
namespace {

class Loaded final : public LoadedModel {
 public:
  Loaded(std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer,
         std::unique_ptr<Engine> engine, std::vector<TokenId> stop_ids)
      : model_(std::move(model)),
        tokenizer_(std::move(tokenizer)),
        stop_ids_(std::move(stop_ids)),
        engine_(std::move(engine)) {}

  TurnResult RunTurn(const harmony::Conversation& conversation, const TurnOptions& options,
                     const TurnEvents& on_event) override {
    return RunTurnOn(*engine_, *tokenizer_, stop_ids_, conversation, options, on_event);
  }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  const Model& model() const override { return *model_; }
  Engine& engine() override { return *engine_; }
  BackendMemory memory() const override { return engine_->memory(); }
  void DropCaches() override { engine_->DropIdleConversations(); }

 private:
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<TokenId> stop_ids_;
  std::unique_ptr<Engine> engine_;
};

Status CheckTokenizer(const Tokenizer& tokenizer, const Model& model) {
  if (tokenizer.size() > model.config.vocab) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{}: the tokenizer has {} ids and the model {} only; they do not belong together",
                            model.name, tokenizer.size(), model.config.vocab));
  }
  const SpecialTokens& special = tokenizer.special();
  const std::pair<const char*, TokenId> needed[] = {
      {"<|endoftext|>", special.end_of_text}, {"<|return|>", special.return_},
      {"<|constrain|>", special.constrain},   {"<|channel|>", special.channel},
      {"<|start|>", special.start},           {"<|end|>", special.end},
      {"<|message|>", special.message},       {"<|call|>", special.call}};
  std::string missing;
  for (const auto& [name, id] : needed) {
    if (id < 0) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name);
  }
  if (missing.empty()) return {};
  return Fail(
      ErrorCode::kDataLoss,
      fmt::format("{}: the tokenizer lacks {}; a gpt-oss checkpoint has all of Harmony's control tokens",
                  model.name, missing));
}

// What config.json names as well, but never <|end|>, which separates the messages of one turn.
std::vector<TokenId> StopIds(const SpecialTokens& special, const ModelConfig& config) {
  std::vector<TokenId> ids = {special.return_, special.call, special.end_of_text};
  for (const std::int64_t id : config.eos_ids) {
    const auto token = static_cast<TokenId>(id);
    if (id >= 0 && id < config.vocab && token != special.end &&
        std::find(ids.begin(), ids.end(), token) == ids.end()) {
      ids.push_back(token);
    }
  }
  return ids;
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadedModel::Load(const Checkpoint& checkpoint, const Options& options) {
  GPTOSS_TRY(std::shared_ptr<const Tokenizer> tokenizer, LoadTokenizer(checkpoint));
  GPTOSS_CHECK_OK(CheckTokenizer(*tokenizer, *checkpoint.model));
  GPTOSS_TRY(std::unique_ptr<Backend> backend, CreateCpuBackend(checkpoint.model, options.backend));
  GPTOSS_TRY(std::unique_ptr<Engine> engine, Engine::Create(std::move(backend), options.engine));
  std::vector<TokenId> stop_ids = StopIds(tokenizer->special(), checkpoint.model->config);
  return std::make_unique<Loaded>(checkpoint.model, std::move(tokenizer), std::move(engine),
                                  std::move(stop_ids));
}

}  // namespace gptoss
