#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/testing/fake_backend.h"
#include "harmony/render.h"
#include "provider/continuation.h"
#include "provider/generation.h"
#include "provider/load_tokenizer.h"
#include "provider/testing/script.h"
#include "provider/turn.h"

namespace gptoss {
namespace {

using harmony::Conversation;
using harmony::ParserEvent;
using harmony::Route;
using testing::FakeBackend;
using testing::FakeControl;
using Ids = std::vector<TokenId>;

const std::filesystem::path kRoot = GPTOSS_SOURCE_DIR;

const Tokenizer& Small() {
  static const auto tokenizer = Tokenizer::FromFile(kRoot / "models/demo/tokenizer.json").value();
  return *tokenizer;
}

Ids Script(std::string_view text) { return testing::Script(Small(), text); }

Conversation Hello() {
  Conversation conversation;
  conversation.messages = {
      harmony::SystemMessage(DefaultSystemContent(harmony::ReasoningEffort::kLow, "2026-01-02")),
      harmony::UserMessage("Hello there")};
  return conversation;
}

bool EndsIn(const Ids& ids, std::string_view text) {
  const Ids end = Script(text);
  return ids.size() >= end.size() && std::equal(end.rbegin(), end.rend(), ids.rbegin());
}

// A model that says what the script says, one try after the other.
class TurnTest : public ::testing::Test {
 protected:
  void Start(std::string_view script, std::int64_t context = 4000) {
    script_ = Script(script);
    control_->logits = [this](const Ids& ids, std::span<float> logits) {
      read_ = ids;
      for (float& logit : logits) logit = 0;
      const std::size_t at = said_++;
      TokenId next = at < script_.size() ? script_[at] : Small().special().return_;
      if (!loop_.empty()) next = EndsIn(ids, "<|channel|>final<|message|>") ? next : loop_[at % loop_.size()];
      logits[static_cast<std::size_t>(next)] = 9;
    };
    engine_ = Engine::Create(std::make_unique<FakeBackend>(control_, Small().size(), context)).value();
  }
  TurnResult Run(const Conversation& conversation = Hello(), std::int64_t max_tokens = 0,
                 CancelToken cancel = {}) {
    TurnOptions options;
    options.sampling.temperature = 0;
    options.max_tokens = max_tokens;
    options.conversation_key = "chat";
    options.cancel = cancel;
    const SpecialTokens& special = Small().special();
    streamed_.clear();
    turn_ends_ = 0;
    return RunTurnOn(*engine_, Small(), {special.return_, special.call, special.end_of_text}, conversation,
                     options, [&](const ParserEvent& event, const harmony::StreamParser& parser) {
                       if (event.kind == ParserEvent::Kind::kTextDelta) streamed_[event.route] += event.text;
                       if (event.kind == ParserEvent::Kind::kTurnEnd) ++turn_ends_;
                       if (event.kind == ParserEvent::Kind::kMessageEnd) {
                         EXPECT_LT(event.message, parser.messages().size());
                       }
                     });
  }

  std::shared_ptr<FakeControl> control_ = std::make_shared<FakeControl>();
  Ids script_, loop_, read_;
  std::size_t said_ = 0;
  std::map<Route, std::string> streamed_;
  int turn_ends_ = 0;
  std::unique_ptr<Engine> engine_;  // last: its thread uses the others
};

constexpr std::string_view kAnalysis = "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant";

TEST_F(TurnTest, AnAnswerIsStreamedAsItIs) {
  Start(std::string(kAnalysis) + "<|channel|>final<|message|>Hello, world!<|return|>");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kAnswer);
  EXPECT_EQ(result.answer, "Hello, world!");
  EXPECT_EQ(streamed_[Route::kAnswer], result.answer);
  EXPECT_EQ(streamed_[Route::kReasoning], "Think.");
  EXPECT_FALSE(result.retried);
  EXPECT_TRUE(result.explanation.empty());
  EXPECT_EQ(result.generated, script_);
  EXPECT_EQ(result.stats.generated_tokens, static_cast<std::int64_t>(script_.size()));
  EXPECT_EQ(turn_ends_, 1);
  ASSERT_EQ(result.messages.size(), 2U);
}

TEST_F(TurnTest, ReasoningAloneIsContinuedInsideAFinalHeader) {
  Start("<|channel|>analysis<|message|>Think.<|return|>Here you are.<|return|>");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kAnswer);
  EXPECT_EQ(result.answer, "Here you are.");
  EXPECT_TRUE(result.retried);
  EXPECT_EQ(streamed_[Route::kAnswer], result.answer);
  EXPECT_EQ(turn_ends_, 1);
  const Ids prompt = harmony::Render(Hello(), Small()).value().ids;
  Ids want = prompt;
  for (const TokenId id : Script(
           "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|channel|>final<|message|>Here you "
           "are.")) {
    want.push_back(id);
  }
  EXPECT_EQ(read_, want);
  EXPECT_EQ(control_->rows, static_cast<std::int64_t>(want.size()));  // nothing was computed twice
  EXPECT_EQ(result.stats.generated_tokens, static_cast<std::int64_t>(script_.size()));
}

TEST_F(TurnTest, NothingAtAllIsContinuedToo) {
  Start("<|return|>Yes.<|return|>");
  EXPECT_EQ(Run().answer, "Yes.");
}

TEST_F(TurnTest, AnEmptyFinalIsContinued) {
  Start("<|channel|>final<|message|>  <|return|>Yes.<|return|>");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kAnswer);
  EXPECT_EQ(result.answer, streamed_[Route::kAnswer]);
  EXPECT_NE(result.answer.find("Yes."), std::string::npos);
}

TEST_F(TurnTest, APreambleAloneIsNoAnswer) {
  Start("<|channel|>commentary<|message|>I will look.<|end|><|return|>It is 4.<|return|>");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kAnswer);
  EXPECT_EQ(result.answer, "It is 4.");
  EXPECT_EQ(streamed_[Route::kPreamble], "I will look.");
}

TEST_F(TurnTest, MalformedReasoningIsWrittenAnewBeforeTheFinalHeader) {
  Start("<|channel|>analysis?<|message|>Think.<|return|>Yes.<|return|>");
  const TurnResult result = Run();
  EXPECT_EQ(result.answer, "Yes.");
  EXPECT_FALSE(result.flags.empty());
  const std::string read = Small().Decode(read_);
  EXPECT_NE(read.find("<|start|>assistant<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|"
                      "channel|>final<|message|>Yes."),
            std::string::npos)
      << read;
}

TEST_F(TurnTest, TwiceNothingIsExplained) {
  Start("<|channel|>analysis<|message|>Think.<|return|><|return|>");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kNoAnswer);
  EXPECT_TRUE(result.answer.empty());
  EXPECT_TRUE(result.retried);
  EXPECT_NE(result.explanation.find("without an answer"), std::string::npos);
  EXPECT_EQ(turn_ends_, 1);
}

TEST_F(TurnTest, ALimitUsedUpByReasoningIsExplained) {
  Start("<|channel|>analysis<|message|>Think and think and think and think.<|return|>");
  const TurnResult result = Run(Hello(), 6);
  EXPECT_EQ(result.end, TurnEnd::kMaxTokens);
  EXPECT_TRUE(result.answer.empty());
  EXPECT_NE(result.explanation.find("6 tokens"), std::string::npos);
  EXPECT_NE(result.explanation.find("--max-tokens"), std::string::npos);
  EXPECT_EQ(result.stats.generated_tokens, 6);
  Start("<|channel|>analysis<|message|>T<|return|>");
  said_ = 0;
  const TurnResult exact = Run(Hello(), static_cast<std::int64_t>(script_.size()));
  EXPECT_EQ(exact.end, TurnEnd::kMaxTokens);  // nothing left for a continuation
  EXPECT_FALSE(exact.retried);
}

TEST_F(TurnTest, ALimitInsideTheAnswerKeepsItsBeginning) {
  Start("<|channel|>final<|message|>One two three four five six.<|return|>");
  const TurnResult result = Run(Hello(), 8);
  EXPECT_EQ(result.end, TurnEnd::kMaxTokens);
  EXPECT_FALSE(result.answer.empty());
  EXPECT_EQ(result.answer, streamed_[Route::kAnswer]);
  EXPECT_NE(result.explanation.find("cut the answer off"), std::string::npos);
}

TEST_F(TurnTest, TheContextLimitIsExplained) {
  const auto prompt = static_cast<std::int64_t>(harmony::Render(Hello(), Small()).value().ids.size());
  Start("<|channel|>analysis<|message|>Think and think and think and think.<|return|>", prompt + 6);
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kContextLimit);
  EXPECT_NE(result.explanation.find("context"), std::string::npos);
  Start("", prompt);
  control_->calls = 0;
  EXPECT_EQ(Run().end, TurnEnd::kContextLimit);  // the prompt alone is too long
  EXPECT_EQ(control_->calls, 0);                 // and nothing was run for it
}

TEST_F(TurnTest, ACallEndsTheTurnAndGoesIntoTheConversation) {
  Start(std::string(kAnalysis) +
        "<|channel|>commentary to=functions.get_weather "
        "<|constrain|>json<|message|>{\"city\":\"Rome\"}<|call|>");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kToolCall);
  EXPECT_FALSE(result.retried);
  Conversation conversation = Hello();
  AppendTurn(result, conversation);
  ASSERT_EQ(conversation.messages.size(), 4U);
  EXPECT_EQ(conversation.messages[2].channel, "analysis");
  EXPECT_EQ(conversation.messages[3].recipient, "functions.get_weather");
  EXPECT_EQ(conversation.messages[3].Text(), "{\"city\":\"Rome\"}");
}

TEST_F(TurnTest, ACallThatIsCutOffIsNoCall) {
  Start(
      "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"city\":\"Rome and "
      "Paris\"}<|call|>");
  const TurnResult result = Run(Hello(), static_cast<std::int64_t>(script_.size()) - 4);
  EXPECT_EQ(result.end, TurnEnd::kMaxTokens);
  EXPECT_NE(result.explanation.find("tool call"), std::string::npos) << result.explanation;
  Conversation conversation = Hello();
  AppendTurn(result, conversation);
  EXPECT_EQ(conversation.messages.size(), 2U);
}

TEST_F(TurnTest, TextWithoutAChannelIsTheAnswerWhenThereIsNoOther) {
  Start("<|message|>Just so.<|return|>");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kAnswer);
  EXPECT_EQ(result.answer, "Just so.");
  EXPECT_EQ(streamed_[Route::kAnswer], "");
  Conversation conversation = Hello();
  AppendTurn(result, conversation);
  EXPECT_EQ(conversation.messages.back().channel, "final");
}

TEST_F(TurnTest, ALoopOfMessagesIsStopped) {
  // Said for ever, but for an empty final when that is asked for.
  loop_ = Script("<|channel|>analysis<|message|>Again.<|end|><|start|>assistant");
  Start("");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kNoAnswer)
      << result.answer << "|" << result.messages.size() << "|" << result.retried;
  EXPECT_LT(result.messages.size(), 140U);
  EXPECT_LT(result.stats.generated_tokens, 2000);
}

TEST_F(TurnTest, TheModelDoesNotSpeakForTheUser) {
  Start(
      "<|channel|>final<|message|>Hi.<|end|><|start|>user<|message|>And now a very long made up question and "
      "another one and another one.<|end|><|start|>assistant");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kAnswer);
  EXPECT_EQ(result.answer, "Hi.");
}

TEST_F(TurnTest, CancelAndErrorsAreTold) {
  Start("<|channel|>final<|message|>Hi.<|return|>");
  CancelSource cancel;
  cancel.Cancel();
  EXPECT_EQ(Run(Hello(), 0, cancel.token()).end, TurnEnd::kCancelled);
  control_ = std::make_shared<FakeControl>();
  control_->before = [](std::span<const BatchRow>) { return Fail(ErrorCode::kInternal, "the fan fell off"); };
  Start("");
  const TurnResult result = Run();
  EXPECT_EQ(result.end, TurnEnd::kError);
  EXPECT_NE(result.explanation.find("the fan fell off"), std::string::npos);
  TurnOptions bad;
  bad.sampling.top_p = 2;
  EXPECT_EQ(RunTurnOn(*engine_, Small(), {}, Hello(), bad, {}).end, TurnEnd::kError);
}

TEST_F(TurnTest, TheNextTurnReadsOnlyWhatIsNew) {
  Start(std::string(kAnalysis) + "<|channel|>final<|message|>Hi.<|return|>" + std::string(kAnalysis) +
        "<|channel|>final<|message|>Good.<|return|>");
  Conversation conversation = Hello();
  AppendTurn(Run(conversation), conversation);
  ASSERT_EQ(conversation.messages.size(), 4U);
  conversation.messages.push_back(harmony::UserMessage("How are you?"));
  const TurnResult second = Run(conversation);
  EXPECT_EQ(second.answer, "Good.");
  // All of the first prompt; its reasoning is not in the second.
  EXPECT_GE(second.stats.reused_tokens,
            static_cast<std::int64_t>(harmony::Render(Hello(), Small()).value().ids.size()));
  EXPECT_EQ(Small().Decode(read_).find("Think."), Small().Decode(read_).rfind("Think."));
}

TEST(DefaultSystemContent, HasTodayInIsoForm) {
  const auto content = DefaultSystemContent(harmony::ReasoningEffort::kHigh);
  EXPECT_TRUE(
      std::regex_match(content.conversation_start_date.value(), std::regex("20\\d\\d-\\d\\d-\\d\\d")));
  EXPECT_EQ(content.reasoning_effort, harmony::ReasoningEffort::kHigh);
}

TEST(LoadedModel, NeedsATokenizerThatFits) {
  const auto checkpoint = OpenCheckpoint(kRoot / "tests/golden/models/T1/mlx");
  ASSERT_TRUE(checkpoint.has_value());
  const auto loaded = LoadedModel::Load(*checkpoint, {});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(loaded.error().message.find("tokenizer.json"), std::string::npos);
  Checkpoint other = *checkpoint;  // 512 ids in the model, more in the tokenizer
  other.tokenizer = TokenizerSource{.json = MappedFile::Open(kRoot / "models/demo/tokenizer.json").value(),
                                    .gguf_tokens = {}};
  const auto unfit = LoadedModel::Load(other, {});
  ASSERT_FALSE(unfit.has_value());
  EXPECT_EQ(unfit.error().code, ErrorCode::kDataLoss);
}

TEST(LoadedModel, TheDemoAnswersFromTheProgramsImage) {
  const auto checkpoint = OpenDemoCheckpoint();
  ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->model->name, "embedded demo");
  const auto loaded = LoadedModel::Load(*checkpoint, {});
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  TurnOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = 200;
  const TurnResult result = (*loaded)->RunTurn(Hello(), options, {});
  EXPECT_TRUE(!result.answer.empty() || !result.explanation.empty());
  EXPECT_NE(result.end, TurnEnd::kError);
  EXPECT_GT(result.stats.generated_tokens, 0);
}

}  // namespace
}  // namespace gptoss
