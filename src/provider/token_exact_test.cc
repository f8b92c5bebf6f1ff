// A session goes on by the ids that its model sampled, also after a restart: the prompts are the same,
// whatever the usual tokenization of their text is.
#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "provider/load_tokenizer.h"
#include "provider/testing/script.h"
#include "provider/testing/scripted_model.h"

namespace gptoss {
namespace {

using Ids = std::vector<TokenId>;

const Tokenizer& Demo() {
  static const auto tokenizer = LoadTokenizer(OpenDemoCheckpoint().value()).value();
  return *tokenizer;
}

// Ids of text with control tokens spelled out, in which every letter is a token of its own.
Ids Apart(std::string_view text) {
  Ids ids;
  while (!text.empty()) {
    const std::size_t close = text.find("|>");
    const bool control = text.starts_with("<|") && close != std::string_view::npos;
    const std::string_view piece = text.substr(0, control ? close + 2 : 1);
    const Ids more = testing::Script(Demo(), piece);
    ids.insert(ids.end(), more.begin(), more.end());
    text.remove_prefix(piece.size());
  }
  return ids;
}

const Ids& CallOfTool() {
  static const Ids ids = Apart(
      "<|channel|>analysis<|message|>Let me see.<|end|><|start|>assistant<|channel|>commentary "
      "to=functions.look <|constrain|>json<|message|>{\"at\": \"the sky\"}<|call|>");
  return ids;
}
const Ids& Answer() {
  static const Ids ids = Apart(
      "<|channel|>analysis<|message|>Blue.<|end|><|start|>assistant<|channel|>final<|message|>It is "
      "blue.<|return|>");
  return ids;
}

// A provider whose model says one completion after the other, and what it was asked.
class Telling {
 public:
  explicit Telling(std::vector<Ids> completions)
      : script_(std::make_shared<Script>(Script{.completions = std::move(completions)})) {
    const auto control = std::make_shared<testing::ScriptedControl>();
    control->backend->logits = [script = script_](const Ids& ids, std::span<float> logits) {
      std::fill(logits.begin(), logits.end(), 0.0F);
      logits[static_cast<std::size_t>(script->Next(ids))] = 9;
    };
    ProviderOptions options;
    options.temperature = 0;
    options.pressure_source = nullptr;
    provider =
        GptOssAgentProvider::Create(options, std::make_unique<testing::ScriptedSource>(control)).value();
  }

  StreamDone Turn(const SessionId& session, harmony::Message message, const StreamOptions& options = {}) {
    struct Wait {
      std::mutex mutex;
      std::condition_variable changed;
      std::optional<StreamDone> done;
    };
    const auto wait = std::make_shared<Wait>();
    EXPECT_TRUE(provider->Stream(session, std::vector{std::move(message)}, options, nullptr,
                                 [wait](const StreamDone& done) {
                                   const std::lock_guard lock(wait->mutex);
                                   wait->done = done;
                                   wait->changed.notify_all();
                                 }));
    std::unique_lock lock(wait->mutex);
    EXPECT_TRUE(
        wait->changed.wait_for(lock, std::chrono::minutes(1), [&] { return wait->done.has_value(); }));
    return wait->done.value_or(StreamDone{});
  }
  // After a turn: the prompts so far.
  const std::vector<Ids>& prompts() const { return script_->prompts; }

  std::unique_ptr<GptOssAgentProvider> provider;

 private:
  struct Script {
    std::vector<Ids> completions;
    std::vector<Ids> prompts = {};
    std::size_t said = 0;

    TokenId Next(const Ids& ids) {  // on the engine's thread
      if (said == 0) prompts.push_back(ids);
      const Ids& completion = completions.at(prompts.size() - 1);
      const TokenId id = completion.at(said);
      said = said + 1 < completion.size() ? said + 1 : 0;
      return id;
    }
  };
  std::shared_ptr<Script> script_;
};

const harmony::Message kQuestion = harmony::UserMessage("What colour is the sky?"),
                       kResult = harmony::ToolResultMessage("functions.look", "0000ff"),
                       kThanks = harmony::UserMessage("Thanks!");

Ids Joined(Ids one, const Ids& two) {
  one.insert(one.end(), two.begin(), two.end());
  return one;
}

TEST(TokenExact, PromptsExtendWhatTheModelWroteAndItIsNotReadAgain) {
  Telling live({CallOfTool(), Answer(), Answer()});
  const SessionId session = live.provider->StartSession().value();
  const StreamDone call = live.Turn(session, kQuestion);
  EXPECT_EQ(call.end, TurnEnd::kToolCall) << call.explanation;
  EXPECT_EQ(call.generated, CallOfTool());
  const StreamDone answer = live.Turn(session, kResult);
  EXPECT_EQ(answer.generated, Answer());
  const Ids before = Joined(live.prompts().at(0), CallOfTool());
  const Ids& second = live.prompts().at(1);
  ASSERT_GT(second.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), second.begin()));
  EXPECT_GE(answer.usage.cached_tokens, static_cast<std::int64_t>(before.size()) - 1);
}

TEST(TokenExact, AResumedSessionAsksWithTheSameIds) {
  Telling live({CallOfTool(), Answer(), Answer()});
  const SessionId session = live.provider->StartSession().value();
  live.Turn(session, kQuestion);
  const harmony::Conversation called = live.provider->Snapshot(session).value();
  live.Turn(session, kResult);
  const harmony::Conversation answered = live.provider->Snapshot(session).value();
  live.Turn(session, kThanks);
  ASSERT_EQ(live.prompts().size(), 3U);

  Telling in_turn({Answer()});
  in_turn.Turn(in_turn.provider->Resume(called).value(), kResult);
  EXPECT_EQ(in_turn.prompts().at(0), live.prompts()[1]);
  Telling after({Answer()});
  after.Turn(after.provider->Resume(answered).value(), kThanks);
  EXPECT_EQ(after.prompts().at(0), live.prompts()[2]);

  // By the text alone it would be another prompt.
  Telling by_text({Answer()});
  const auto text = harmony::ConversationFromJson(harmony::ConversationToJson(answered)).value();
  by_text.Turn(by_text.provider->Resume(text).value(), kThanks);
  EXPECT_NE(by_text.prompts().at(0), live.prompts()[2]);
}

TEST(TokenExact, AnAnswerThatWasCutOffIsKeptAsFarAsItCame) {
  Telling live({Answer(), Answer()});
  const SessionId session = live.provider->StartSession().value();
  const StreamDone cut =
      live.Turn(session, kQuestion, {.max_tokens = static_cast<std::int64_t>(Answer().size()) - 4});
  EXPECT_EQ(cut.end, TurnEnd::kMaxTokens);
  EXPECT_EQ(cut.answer, "It is bl");
  const harmony::Conversation kept = live.provider->Snapshot(session).value();
  const Ids expected = Apart("<|start|>assistant<|channel|>final<|message|>It is bl<|end|>");
  Ids ids = kept.messages.back().ids;
  EXPECT_EQ(Demo().Decode(ids), "<|start|>assistant<|channel|>final<|message|>It is bl<|end|>");
  EXPECT_EQ(Ids(ids.end() - 9, ids.end()), Ids(expected.end() - 9, expected.end()));
}

}  // namespace
}  // namespace gptoss
