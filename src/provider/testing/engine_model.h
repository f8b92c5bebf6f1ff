// What the models of tests share: turns on a real engine over a fake backend.
#pragma once

#include <memory>
#include <utility>

#include "engine/testing/fake_backend.h"
#include "provider/agent_provider.h"
#include "provider/turn.h"

namespace gptoss::testing {

class EngineModel : public LoadedModel {
 public:
  EngineModel(const std::shared_ptr<FakeControl>& control, std::shared_ptr<const Tokenizer> tokenizer,
              std::shared_ptr<const Model> model, EngineOptions options, std::int64_t context)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)) {
    options.context_tokens = context;
    engine_ =
        Engine::Create(std::make_unique<FakeBackend>(control, tokenizer_->size(), context), options).value();
  }

  TurnResult RunTurn(const harmony::Conversation& conversation, const TurnOptions& options,
                     const TurnEvents& on_event) override {
    const SpecialTokens& special = tokenizer_->special();
    return RunTurnOn(*engine_, *tokenizer_, {special.return_, special.call, special.end_of_text},
                     conversation, options, on_event);
  }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  const Model& model() const override { return *model_; }
  Engine& engine() override { return *engine_; }
  BackendMemory memory() const override { return {.weights = 100, .kv = 10, .scratch = 1}; }
  void DropCaches() override { engine_->DropIdleConversations(); }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace gptoss::testing
