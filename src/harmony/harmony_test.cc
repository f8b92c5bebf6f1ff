// Everything that openai/harmony renders, the recovery policy, and what no input may break.
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "harmony/conversation.h"
#include "harmony/parser.h"
#include "harmony/render.h"
#include "tokenizer/testing/golden.h"

namespace gptoss::harmony {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = GPTOSS_SOURCE_DIR;

using ::gptoss::testing::Golden;
using ::gptoss::testing::O200k;

RenderOptions OptionsOf(const Json& c) {
  RenderOptions options;
  options.mode = c["mode"] == "completion" ? RenderMode::kCompletion
                 : c["mode"] == "training" ? RenderMode::kTraining
                                           : RenderMode::kConversation;
  options.drop = c["auto_drop_analysis"] == true ? AnalysisDrop::kOfficial : AnalysisDrop::kNone;
  return options;
}

TEST(Render, EveryGoldenConversationTextAndIds) {
  const Json golden = Golden("harmony_render.json");
  int rendered_count = 0, errors = 0;
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    const auto conversation = ConversationFromJson(c["conversation"]);
    const auto rendered = conversation ? Render(*conversation, O200k(), OptionsOf(c))
                                       : Result<Rendered>(std::unexpected(conversation.error()));
    if (c.contains("error")) {
      EXPECT_FALSE(rendered.has_value());
      ++errors;
      continue;
    }
    ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
    EXPECT_EQ(rendered->text, c["text"].get<std::string>());
    EXPECT_EQ(rendered->ids, c["ids"].get<std::vector<TokenId>>());
    ++rendered_count;
  }
  std::printf("rendered %d, refused %d\n", rendered_count, errors);
  EXPECT_EQ(rendered_count + errors, static_cast<int>(golden["cases"].size()));
  EXPECT_GT(rendered_count, 50);
}

TEST(Parse, EveryGoldenCompletionByThePolicy) {
  const Json golden = Golden("harmony_completions.json");
  int count = 0;
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>() + ": " + DumpJson(c.contains("text") ? c["text"] : c["ids"]));
    StreamParser parser(O200k(), {.role = c["role"].is_null() ? "" : c["role"].get<std::string>()});
    std::vector<ParserEvent> events;
    for (const Json& id : c["ids"]) parser.Push(id.get<TokenId>(), events);
    parser.Finish(events);
    EXPECT_TRUE(PolicyJson(parser) == Json(c["policy"]) ||
                nlohmann::json(PolicyJson(parser)) == nlohmann::json(c["policy"]))
        << "got  " << DumpJson(PolicyJson(parser)) << "\nwant " << DumpJson(c["policy"]);
    ++count;
  }
  EXPECT_GT(count, 40);
}

TEST(Parse, EveryGoldenStreamEndsWithTheSameContent) {
  const Json golden = Golden("harmony_stream.json");
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    StreamParser parser(O200k());
    std::vector<ParserEvent> events;
    for (const Json& id : c["ids"]) parser.Push(id.get<TokenId>(), events);
    parser.Finish(events);
    const Json& want = c["messages"];
    ASSERT_EQ(parser.messages().size(), want.size());
    std::vector<std::string> deltas(parser.messages().size());
    for (const ParserEvent& event : events) {
      if (event.kind == ParserEvent::Kind::kTextDelta) deltas[event.message] += event.text;
    }
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(parser.messages()[i].content, want[i]["content"].get<std::string>());
      EXPECT_EQ(deltas[i], parser.messages()[i].content);
    }
  }
}

TEST(BuiltinTools, AreTheReferencesWords) {
  const Json golden = Golden("harmony_render.json");
  for (const Json& c : golden["cases"]) {
    if (c["name"] != "u_browser_and_python_tool") continue;
    const auto conversation = ConversationFromJson(c["conversation"]).value();
    const auto& tools = *std::get<SystemContent>(conversation.messages[0].content[0]).tools;
    for (const auto& [key, space] : tools) {
      const ToolNamespace ours = key == "browser" ? BrowserTool() : PythonTool();
      EXPECT_EQ(ours.description, space.description);
      ASSERT_EQ(ours.tools.size(), space.tools.size());
      for (std::size_t i = 0; i < ours.tools.size(); ++i)
        EXPECT_EQ(ours.tools[i].parameters, space.tools[i].parameters);
    }
    return;
  }
  FAIL() << "no such case";
}

std::string RandomText(std::mt19937& rng) {
  static const char* const kPieces[] = {
      "<|end|>", "<|start|>assistant", " to=functions.f", "{\"a\":1}", "\n\n", "é漢😀", "final", " "};
  std::string text;
  for (auto i = rng() % 12; i > 0; --i) {
    if (rng() % 3 == 0) {
      text += kPieces[rng() % std::size(kPieces)];
    } else {
      auto c = static_cast<char32_t>(rng() % 0x500 + 1);
      AppendUtf8(c, text);
    }
  }
  return text;
}

TEST(RoundTrip, WhatIsRenderedIsParsedBack) {
  std::mt19937 rng(11);
  for (int round = 0; round < 300; ++round) {
    Conversation conversation;
    for (auto i = rng() % 4 + 1; i > 0; --i) {
      switch (rng() % 4) {
        case 0:
          conversation.messages.push_back(AssistantMessage("analysis", RandomText(rng)));
          break;
        case 1:
          conversation.messages.push_back(AssistantMessage("commentary", RandomText(rng)));
          break;
        case 2:
          conversation.messages.push_back(ToolCallMessage("get_x", RandomText(rng)));
          break;
        default:
          conversation.messages.push_back(AssistantMessage("final", RandomText(rng)));
          break;
      }
    }
    const auto rendered =
        Render(conversation, O200k(), {.mode = RenderMode::kConversation, .drop = AnalysisDrop::kNone})
            .value();
    StreamParser parser(O200k(), {.role = ""});
    std::vector<ParserEvent> events;
    for (const TokenId id : rendered.ids) parser.Push(id, events);
    parser.Finish(events);
    ASSERT_EQ(parser.flags(), std::vector<std::string>{}) << rendered.text;
    ASSERT_EQ(parser.messages().size(), conversation.messages.size());
    for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
      const Message& want = conversation.messages[i];
      const ParsedMessage& got = parser.messages()[i];
      ASSERT_EQ(got.content, want.Text());
      ASSERT_EQ(got.channel, want.channel);
      ASSERT_EQ(got.recipient, want.recipient);
      ASSERT_EQ(got.content_type, want.content_type);
    }
    EXPECT_EQ(DumpJson(ConversationToJson(ConversationFromJson(ConversationToJson(conversation)).value())),
              DumpJson(ConversationToJson(conversation)));
  }
}

TEST(Parse, NoSequenceOfIdsBreaksIt) {
  const SpecialTokens& s = O200k().special();
  const TokenId control[] = {s.start,   s.end,         s.message, s.channel, s.constrain, s.call,
                             s.return_, s.end_of_text, 200013,    999999,    -5};
  std::mt19937 rng(12);
  for (int round = 0; round < 3000; ++round) {
    StreamParser parser(
        O200k(), {.role = round % 3 == 0 ? "" : "assistant", .max_message_bytes = 200, .max_messages = 8});
    std::vector<ParserEvent> events;
    for (auto i = rng() % 60; i > 0; --i) {
      parser.Push(rng() % 2 == 0 ? control[rng() % std::size(control)] : static_cast<TokenId>(rng() % 200019),
                  events);
    }
    parser.Finish(events);
    // Events in order: start, deltas, end; deltas add up to the content.
    std::vector<std::string> deltas(parser.messages().size());
    std::size_t open = 0, ended = 0;
    for (const ParserEvent& e : events) {
      if (e.kind == ParserEvent::Kind::kMessageStart) {
        ASSERT_EQ(e.message, open++);
      }
      if (e.kind == ParserEvent::Kind::kTextDelta) {
        ASSERT_EQ(e.message + 1, open);
        ASSERT_TRUE(IsValidUtf8(e.text));
        deltas[e.message] += e.text;
      }
      if (e.kind == ParserEvent::Kind::kMessageEnd) {
        ASSERT_EQ(e.message, ended++);
      }
    }
    ASSERT_EQ(open, parser.messages().size());
    ASSERT_EQ(ended, open);
    ASSERT_LE(open, 8U);
    for (std::size_t i = 0; i < open; ++i) {
      ASSERT_EQ(deltas[i], parser.messages()[i].content);
      ASSERT_LE(deltas[i].size(), 200U);
      ASSERT_FALSE(parser.messages()[i].stop.empty());
    }
  }
}

TEST(StablePrefix, LaterPromptsExtendEarlierOnesButForTheFinishedTurnsReasoning) {
  Conversation c;
  c.messages = {SystemMessage({}), UserMessage("q1")};
  const auto ids = [&] { return Render(c, O200k()).value().ids; };
  const auto first = ids();
  c.messages.push_back(AssistantMessage("analysis", "t1"));
  c.messages.push_back(ToolCallMessage("f", "{}"));
  c.messages.push_back(ToolResultMessage("functions.f", "r"));
  const auto second = ids();  // the running turn keeps its reasoning
  EXPECT_TRUE(std::equal(first.begin(), first.end(), second.begin()));
  EXPECT_NE(Render(c, O200k()).value().text.find("t1"), std::string::npos);
  c.messages.push_back(AssistantMessage("final", "a1"));
  c.messages.push_back(UserMessage("q2"));
  EXPECT_EQ(Render(c, O200k()).value().text.find("t1"), std::string::npos);
  c.messages.push_back(AssistantMessage("analysis", "t2"));
  const auto third = Render(c, O200k()).value().text;
  EXPECT_NE(third.find("t2"), std::string::npos);
  EXPECT_EQ(third.find("t1"), std::string::npos);
}

// docs/harmony.md holds a conversation, its text and ids, and a table of flags: the page is true.
class Docs : public ::testing::Test {
 protected:
  // The fenced block that follows the mark "golden: NAME".
  std::string Block(const std::string& name) const {
    const std::size_t mark = page_.find("<!-- golden: " + name + " -->");
    EXPECT_NE(mark, std::string::npos) << name;
    const std::size_t begin = page_.find('\n', page_.find("```", mark)) + 1;
    return page_.substr(begin, page_.find("```", begin) - begin);
  }
  const std::string page_ = ReadFile(kRoot / "docs/harmony.md").value();
};

TEST_F(Docs, GoldenConversationGivesItsTextAndItsIds) {
  const Json input = ParseJson(Block("conversation")).value();
  ASSERT_EQ(input["mode"], "completion");
  const auto rendered = Render(ConversationFromJson(input["conversation"]).value(), O200k()).value();
  std::string text = Block("text");
  for (std::size_t at; (at = text.find("\n<|start|>")) != std::string::npos;) text.erase(at, 1);
  EXPECT_EQ(rendered.text + "\n", text);
  std::istringstream numbers(Block("first ids"));
  const std::vector<TokenId> first{std::istream_iterator<TokenId>(numbers), {}};
  ASSERT_EQ(first.size(), 12U);
  ASSERT_EQ(rendered.ids.size(), 83U);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), rendered.ids.begin()));
  EXPECT_NE(page_.find("its 83 token ids"), std::string::npos);
  EXPECT_EQ((std::vector<TokenId>{rendered.ids.end() - 3, rendered.ids.end()}),
            (std::vector<TokenId>{200007, 200006, 173781}));
}

TEST_F(Docs, GoldenCompletionGivesItsMessages) {
  StreamParser parser(O200k());
  std::vector<ParserEvent> events;
  const Json input = ParseJson(Block("completion")).value();
  for (const Json& id : input["ids"]) parser.Push(id.get<TokenId>(), events);
  parser.Finish(events);
  EXPECT_EQ(DumpJson(PolicyJson(parser)), DumpJson(ParseJson(Block("parsed")).value()));
}

TEST_F(Docs, TheTableHasEveryFlagThatThereIsAndNoOther) {
  std::set<std::string> in_code, in_page;
  for (const char* file : {"src/harmony/parser.cc", "src/harmony/header.cc"}) {
    const std::string code = ReadFile(kRoot / file).value();
    const std::regex insert("flags_?\\.insert\\(([^;]*)\\)");
    const std::regex literal("\"([a-z_]+)\"");
    for (std::sregex_iterator call(code.begin(), code.end(), insert), end; call != end; ++call) {
      const std::string arguments = (*call)[1];
      for (std::sregex_iterator name(arguments.begin(), arguments.end(), literal); name != end; ++name)
        in_code.insert((*name)[1]);
    }
  }
  const std::size_t begin = page_.find("| flag |");
  ASSERT_NE(begin, std::string::npos);
  std::istringstream table(page_.substr(begin, page_.find("\n\n", begin) - begin));
  const std::regex name("`([a-z_]+)`");
  for (std::string line; std::getline(table, line);) {
    const std::string cell = line.substr(0, line.find('|', 1));
    for (std::sregex_iterator flag(cell.begin(), cell.end(), name), end; flag != end; ++flag)
      in_page.insert((*flag)[1]);
  }
  EXPECT_GT(in_code.size(), 20U);
  EXPECT_EQ(in_page, in_code);
}

}  // namespace
}  // namespace gptoss::harmony
