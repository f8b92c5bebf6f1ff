// The gptoss_20b agent on the real provider, with a model that does what the prompt says; the transcript and
// options.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "acp/v1.h"
#include "agents/acp_face/options.h"
#include "agents/acp_face/transcript.h"
#include "agents/gptoss_20b/gptoss_agent.h"
#include "agents/gptoss_20b/gptoss_session.h"
#include "agents/gptoss_20b/prompt_text.h"
#include "agents/testing/recording_sink.h"
#include "agents/testing/scripted_pool.h"
#include "base/file.h"
#include "base/testing/temporary_folder.h"

namespace gptoss::agents {
namespace {

namespace fs = std::filesystem;
using acp::MessageKind;
using acp::StopReason;
using testing::RecordingSink;

class GptOssAgentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(folder_ / "notes.txt") << "forty-two\n";
    choices_ = std::make_shared<SharedChoices>(Choices{.model = "scripted"});
    Open({}, false);
  }
  void TearDown() override { session_.reset(); }
  void Open(harmony::Conversation conversation, bool interrupted) {
    session_.reset();
    SessionContext context{
        .id = "s", .folder = folder_.string(), .more_folders = {}, .mcp_servers = mcp_servers_};
    context.choices = choices_;
    context.conversation = std::move(conversation);
    context.interrupted = interrupted;
    context.save = [this](const harmony::Conversation& saved) { saved_ = saved; };
    context.allowed = [this](std::string_view rule) { return rules_.contains(std::string(rule)); };
    context.allow = [this](std::string_view rule) { rules_.emplace(rule); };
    context.rules = [this] { return std::vector<std::string>(rules_.begin(), rules_.end()); };
    context.forget_rules = [this] { rules_.clear(); };
    session_ = agent_->Open(std::move(context)).value();
  }
  TurnOutcome Prompt(const std::string& text, RecordingSink& sink, CancelToken cancel = {}) {
    Turn turn{.prompt = {{.text = text}}, .cancel = std::move(cancel)};
    return session_->Prompt(turn, sink);
  }
  std::string Answer(const std::string& text) {
    RecordingSink sink;
    EXPECT_FALSE(Prompt(text, sink).error.has_value());
    return sink.Text(MessageKind::kAgent);
  }

  std::unique_ptr<ModelPool> pool_ = testing::MakeScriptedPool();
  std::unique_ptr<Agent> agent_ = MakeGptOssAgent(*pool_, {.version = "test", .max_calls = 5});
  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  std::shared_ptr<SharedChoices> choices_;
  std::vector<acp::McpServer> mcp_servers_;
  std::set<std::string> rules_;
  harmony::Conversation saved_;
  std::unique_ptr<AgentSession> session_;
};

TEST_F(GptOssAgentTest, ThoughtPreambleAndAnswerAreMessagesOfTheirOwn) {
  RecordingSink sink;
  EXPECT_EQ(Prompt("!think hm\n!preamble I look\n!say answer", sink).reason, StopReason::kEndTurn);
  EXPECT_EQ(sink.Text(MessageKind::kThought), "hm");
  EXPECT_EQ(sink.Text(MessageKind::kAgent), "I lookanswer");
  std::set<std::string> ids;
  for (const auto& chunk : sink.Of<acp::MessageChunk>()) ids.insert(chunk.message_id);
  EXPECT_EQ(ids.size(), 3U);
  ASSERT_FALSE(sink.Of<acp::Usage>().empty());
  EXPECT_GT(sink.Of<acp::Usage>().back().used, 0U);
  EXPECT_EQ(sink.Of<acp::Usage>().back().size, 32'000U);
}

TEST_F(GptOssAgentTest, AToolsResultReachesTheModel) {
  RecordingSink sink;
  Prompt("!call read_file {\"path\":\"notes.txt\"}\n!context", sink);
  EXPECT_EQ(sink.Text(MessageKind::kAgent), "users=1 results=1 interrupted=0 last=forty-two\n");
  const auto calls = sink.Of<acp::ToolCall>();
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[0].name, "read_file");
  EXPECT_EQ(*calls[2].status, acp::ToolStatus::kCompleted);
}

TEST_F(GptOssAgentTest, ReasoningIsHiddenWhenAsked) {
  Choices choices = choices_->Get();
  choices.show_reasoning = false;
  choices_->Set(choices);
  RecordingSink sink;
  Prompt("!think hm\n!say answer", sink);
  EXPECT_EQ(sink.Text(MessageKind::kThought), "");
  EXPECT_EQ(sink.Text(MessageKind::kAgent), "answer");
}

TEST_F(GptOssAgentTest, ManyCallsEndInARequestToGoOn) {
  RecordingSink sink;
  EXPECT_EQ(Prompt("!repeat read_file {\"path\":\"notes.txt\"}", sink).reason, StopReason::kMaxTurnRequests);
  EXPECT_EQ(sink.Of<acp::ToolCall>().size(), 5U * 3U);
}

TEST_F(GptOssAgentTest, MalformedCallsGoBackThreeTimesAndThenTheTurnEnds) {
  RecordingSink sink;
  EXPECT_EQ(Prompt("!repeat read_file {\"wrong\":1}", sink).reason, StopReason::kEndTurn);
  EXPECT_NE(sink.Text(MessageKind::kAgent).find("wrongly 4 times"), std::string::npos);
}

TEST_F(GptOssAgentTest, NonsenseOfTheModelIsNoError) {
  RecordingSink sink;
  const TurnOutcome outcome = Prompt(
      "!raw <|channel|>commentary to=functions.read_file <|constrain|>json<|message|>{\"path\": "
      "\"notes.txt\"<|call|>",
      sink);
  EXPECT_FALSE(outcome.error.has_value());
}

TEST_F(GptOssAgentTest, CancelInATurnAndTheNextOneKnowsOfIt) {
  for (const int delay : {0, 1, 10}) {
    RecordingSink sink;
    const CancelSource cancel;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(delay));
      cancel.Cancel();
    });
    EXPECT_EQ(Prompt("!slow 5\n!say " + std::string(2000, 'x'), sink, cancel.token()).reason,
              StopReason::kCancelled);
    canceller.join();
    EXPECT_NE(Answer("!context").find("interrupted=1"), std::string::npos);
    EXPECT_NE(Answer("!context").find("interrupted=0"), std::string::npos);
  }
}

TEST_F(GptOssAgentTest, CancelInAToolLeavesNoCallUnanswered) {
  RecordingSink sink;
  const CancelSource cancel;
  std::thread canceller([&] {
    while (!fs::exists(folder_ / "started")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    cancel.Cancel();
  });
  EXPECT_EQ(
      Prompt("!call run_command {\"command\":\"touch started; sleep 1000\"}", sink, cancel.token()).reason,
      StopReason::kCancelled);
  canceller.join();
  EXPECT_EQ(*sink.Of<acp::ToolCall>().back().status, acp::ToolStatus::kFailed);
  EXPECT_EQ(UnansweredCalls(saved_).size(), 1U);
  EXPECT_NE(Answer("!context").find("interrupted=1"), std::string::npos);
  EXPECT_TRUE(UnansweredCalls(saved_).empty());
}

TEST_F(GptOssAgentTest, AConversationGoesOnInAnotherLifeAndWithAnotherModel) {
  Answer("one");
  Answer("two");
  Choices choices = choices_->Get();
  choices.model = "other";
  choices_->Set(choices);
  EXPECT_NE(Answer("!context").find("users=3"), std::string::npos);
  Open(saved_, true);
  EXPECT_NE(Answer("!context").find("users=4 results=0 interrupted=1"), std::string::npos);
}

TEST_F(GptOssAgentTest, AModelThatIsNotThereIsSaid) {
  for (const char* model : {"absent", "unheard-of"}) {
    Choices choices = choices_->Get();
    choices.model = model;
    choices_->Set(choices);
    EXPECT_NE(Answer("hello").find("gptoss install"), std::string::npos) << model;
  }
}

TEST_F(GptOssAgentTest, CommandsWork) {
  EXPECT_NE(Answer("/help").find("/compact"), std::string::npos);
  Answer("first");
  EXPECT_NE(Answer("/status").find("scripted"), std::string::npos);
  RecordingSink sink;
  Prompt("/effort high", sink);
  ASSERT_EQ(sink.chosen.size(), 1U);
  EXPECT_EQ(sink.chosen[0].first, "thought_level");
  EXPECT_NE(Answer("/clear").find("forgotten"), std::string::npos);
  EXPECT_NE(Answer("!context").find("users=1"), std::string::npos);
  EXPECT_NE(Answer("/unknown x").find("You said: /unknown x"), std::string::npos);
}

TEST_F(GptOssAgentTest, AnMcpServerThatFailsIsToldOnceByEveryModel) {
  acp::McpServer absent{.name = "absent"}, ends{.name = "ends"};
  absent.command = "/nonexistent/server";
  ends.command = "/bin/sh";
  ends.arguments = {"-c", "exit 3"};
  mcp_servers_ = {absent, ends};
  for (const char* model : {"scripted", "small"}) {
    for (const bool notices : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", model, notices));
      choices_->Set(Choices{.model = model});
      Open({}, false);
      std::string status;
      for (int i = 0; i < 6000; ++i) {  // the small one waits for no server
        status = Answer("/status");
        if (status.find("starting") == std::string::npos) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      EXPECT_NE(status.find("- MCP server absent: failed: "), std::string::npos) << status;
      EXPECT_NE(status.find("- MCP server ends: failed: "), std::string::npos) << status;
      RecordingSink sink;
      sink.traits.notices = notices;
      Prompt("!say hello", sink);
      std::string told = sink.Text(MessageKind::kAgent);
      for (const auto& notice : sink.Of<acp::Notice>()) told += notice.title;
      EXPECT_EQ(sink.Of<acp::Notice>().size(), notices ? 2U : 0U);
      EXPECT_NE(told.find("MCP server 'absent'"), std::string::npos) << told;
      EXPECT_NE(told.find("MCP server 'ends'"), std::string::npos) << told;
      EXPECT_NE(told.find("hello"), std::string::npos) << told;
      EXPECT_EQ(Answer("!say again"), "again");
    }
  }
  mcp_servers_.clear();
  Open({}, false);
  EXPECT_EQ(Answer("/status").find("MCP"), std::string::npos);
}

TEST_F(GptOssAgentTest, TheStatusTellsTheTemperatureInForce) {
  EXPECT_NE(Answer("/status").find("temperature: 0.7\n"), std::string::npos);
  choices_->Set(Choices{.model = "small"});
  EXPECT_NE(Answer("/status").find("temperature: 0\n"), std::string::npos);
  choices_->Set(Choices{.model = "small", .temperature = 0.3});
  EXPECT_NE(Answer("/status").find("temperature: 0.3\n"), std::string::npos);
}

TEST_F(GptOssAgentTest, CompactionGoesOnWithTheSummary) {
  Answer("one");
  Answer("two");
  RecordingSink sink;
  Prompt("/compact", sink);
  const auto compactions = sink.Of<acp::Compaction>();
  ASSERT_EQ(compactions.size(), 2U);
  EXPECT_EQ(compactions[1].status, "completed");
  EXPECT_NE(compactions[1].summary.find("Summarise"),
            std::string::npos);                                      // the model repeats what it is told
  EXPECT_NE(Answer("!context").find("users=2"), std::string::npos);  // the summary and this
}

TEST_F(GptOssAgentTest, AFullContextIsCompactedBeforeTheNextPrompt) {
  Answer("one");
  RecordingSink full;
  std::string words;
  for (int i = 0; i < 200000; ++i) words += " word";
  EXPECT_EQ(Prompt(words, full).reason, StopReason::kMaxTokens);
  EXPECT_NE(full.Text(MessageKind::kAgent).find("The context is full"), std::string::npos);
  EXPECT_TRUE(full.Of<acp::Compaction>().empty());
  RecordingSink next;
  EXPECT_EQ(Prompt("two", next).reason, StopReason::kEndTurn);
  const auto compactions = next.Of<acp::Compaction>();
  ASSERT_EQ(compactions.size(), 2U);
  EXPECT_EQ(compactions[1].status, "completed");
  EXPECT_EQ(next.Text(MessageKind::kAgent).substr(0, 300), "You said: two");
  RecordingSink third;
  EXPECT_EQ(Prompt("three", third).reason, StopReason::kEndTurn);
  EXPECT_TRUE(third.Of<acp::Compaction>().empty());
}

TEST_F(GptOssAgentTest, LinkedAndEmbeddedFilesReachTheModel) {
  RecordingSink sink;
  using Type = acp::ContentBlock::Type;
  const std::string uri = "file://" + (folder_ / "notes.txt").string();
  Turn turn{.prompt = {{.text = "look: "},
                       {.type = Type::kResourceLink, .uri = uri, .name = "notes.txt"},
                       {.type = Type::kResource, .text = "embedded", .uri = "file:///e%20f"}},
            .cancel = {}};
  session_->Prompt(turn, sink);
  EXPECT_NE(sink.Text(MessageKind::kAgent).find("forty-two"), std::string::npos);
  EXPECT_NE(sink.Text(MessageKind::kAgent).find("<file path=\"/e f\">\nembedded"), std::string::npos);
  RecordingSink editor;
  editor.traits.read_files = true;
  editor.client_files[(folder_ / "notes.txt").string()] = "unsaved";
  session_->Prompt(turn, editor);
  EXPECT_NE(editor.Text(MessageKind::kAgent).find("unsaved"), std::string::npos);
  turn.prompt = {{.type = Type::kImage}};
  EXPECT_EQ(session_->Prompt(turn, sink).error->code, ErrorCode::kInvalidArgument);
}

TEST(PathOfUri, ReadsFileUrisOnly) {
  EXPECT_EQ(PathOfUri("file:///a%20b/c%C3%A4.txt#L3").value(), "/a b/cä.txt");
  EXPECT_EQ(PathOfUri("file://localhost/a").value(), "/a");
  EXPECT_EQ(PathOfUri("File:/a?x").value(), "/a");
  EXPECT_EQ(PathOfUri("file:///100%").value(), "/100%");
  EXPECT_EQ(PathOfUri("file:///%2e%2E/%2fetc").value(), "/..//etc");
}

TEST(Shortened, DropsTheOldestTurnsAndKeepsTheHead) {
  harmony::Conversation conversation;
  conversation.messages = {harmony::SystemMessage({}), harmony::UserMessage(std::string(1000, 'a')),
                           harmony::AssistantMessage("final", "b"), harmony::UserMessage("c"),
                           harmony::ToolResultMessage("functions.x", std::string(5000, 'd'))};
  const auto shorter = Shortened(conversation, 2500);
  ASSERT_EQ(shorter.messages.size(), 3U);
  EXPECT_EQ(shorter.messages[1].Text(), "c");
  EXPECT_LT(shorter.messages[2].Text().size(), 1700U);
  EXPECT_EQ(Shortened(conversation, 1 << 20).messages.size(), 5U);
}

// ---- transcript and options
// --------------------------------------------------------------------------------

TEST(Transcript, ReplayTellsTheSameStory) {
  const acp::ClientTraits client;
  std::vector<std::string> items;
  const auto add = [&](const acp::Update& update) {
    items.push_back(DumpJson(acp::v1::WriteUpdate(update, client)));
  };
  add(acp::MessageChunk{
      .kind = MessageKind::kUser, .message_id = "u", .block = Json{{"type", "text"}, {"text", "hi"}}});
  add(acp::MessageChunk{.message_id = "a", .text = "He"});
  add(acp::MessageChunk{.message_id = "a", .text = "llo"});
  add(acp::Plan{.entries = {{.content = "old"}}});
  add(acp::ToolCall{.id = "c", .creates = true, .title = "Read", .status = acp::ToolStatus::kPending});
  add(acp::ToolCall{.id = "c", .status = acp::ToolStatus::kInProgress});
  acp::ToolCall end{.id = "c", .status = acp::ToolStatus::kCompleted};
  end.content = {acp::ToolText{"out"}};
  add(end);
  add(acp::Plan{.entries = {{.content = "new"}}});
  add(acp::ToolCall{.id = "d", .creates = true, .title = "Run", .status = acp::ToolStatus::kInProgress});
  add(acp::MessageChunk{.message_id = "b", .text = "x"});
  items.emplace_back("damaged");
  const std::vector<Json> told = Replay(items, client);
  ASSERT_EQ(told.size(), 8U);
  EXPECT_EQ(told[1]["content"]["text"], "Hello");
  EXPECT_EQ(told[2]["sessionUpdate"], "tool_call");
  EXPECT_EQ(told[3]["status"], "completed");
  EXPECT_EQ(told[3]["content"][0]["content"]["text"], "out");
  EXPECT_EQ(told[4]["entries"][0]["content"], "new");
  EXPECT_EQ(told[6]["status"], "failed");  // it never ended
  EXPECT_EQ(told[7]["content"]["text"], "x");
}

TEST(Options, AreChosenStoredAndRead) {
  const auto pool = testing::MakeScriptedPool();
  AgentRegistry registry;
  registry.Add(MakeGptOssAgent(*pool, {}));
  OptionState state{.mode = "gptoss_20b", .choices = {.model = "scripted"}};
  const auto models = pool->Choices();
  EXPECT_TRUE(Choose(state, "thought_level", "high", registry, models));
  EXPECT_TRUE(Choose(state, "temperature", "0.3", registry, models));
  EXPECT_TRUE(Choose(state, "tools", "off", registry, models));
  EXPECT_TRUE(Choose(state, "model", "other", registry, models));
  EXPECT_TRUE(Choose(state, "mode", "gptoss_20b", registry, models));
  for (const auto& [option, value] : std::vector<std::pair<const char*, const char*>>{
           {"thought_level", "enormous"}, {"none", "x"}, {"mode", "x"}, {"model", "x"}, {"tools", "maybe"}})
    EXPECT_EQ(Choose(state, option, value, registry, models).error().code, ErrorCode::kInvalidArgument);
  Choices read;
  for (const auto& [option, value] : StoredOptions(state.choices)) ReadStoredOption(option, value, read);
  EXPECT_EQ(read.model, "other");
  EXPECT_EQ(read.effort, harmony::ReasoningEffort::kHigh);
  EXPECT_EQ(read.temperature, 0.3);
  EXPECT_FALSE(read.tools);
}

TEST(Options, TheTemperatureIsTheModelsOwnUntilItIsChosen) {
  const auto pool = testing::MakeScriptedPool();
  AgentRegistry registry;
  registry.Add(MakeGptOssAgent(*pool, {}));
  const auto models = pool->Choices();
  OptionState state{.mode = "gptoss_20b", .choices = {.model = "small", .usual_temperature = 0.4}};
  const auto shown = [&] {
    for (const acp::ConfigOption& option : OptionsOf(state, registry, models)) {
      if (option.id == "temperature") return option.current;
    }
    return std::string("none");
  };
  EXPECT_EQ(shown(), "0");
  EXPECT_TRUE(Choose(state, "model", "scripted", registry, models));
  EXPECT_EQ(shown(), "0.4");
  Choices read{.temperature = 1};  // what another session chose is not this one's
  for (const auto& [option, value] : StoredOptions(state.choices)) ReadStoredOption(option, value, read);
  EXPECT_EQ(read.temperature, std::nullopt);
  EXPECT_TRUE(Choose(state, "temperature", "1", registry, models));
  EXPECT_TRUE(Choose(state, "model", "small", registry, models));
  EXPECT_EQ(shown(), "1");
}

}  // namespace
}  // namespace gptoss::agents
