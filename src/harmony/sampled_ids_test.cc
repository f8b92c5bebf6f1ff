#include "harmony/sampled_ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "harmony/render.h"
#include "tokenizer/testing/golden.h"

namespace gptoss::harmony {
namespace {

using ::gptoss::testing::O200k;
using Ids = std::vector<TokenId>;

// Text as no encoder would write it: every character on its own.
void AppendApart(std::string_view text, Ids& ids) {
  while (!text.empty()) {
    std::size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) ++length;
    O200k().EncodeText(text.substr(0, length), ids);
    text.remove_prefix(length);
  }
}

// "<|start|>assistant<|channel|>CHANNEL<|message|>TEXT<|end|>" with a text of single characters.
Ids Apart(std::string_view channel, std::string_view text) {
  const SpecialTokens& special = O200k().special();
  Ids ids = {special.start};
  O200k().EncodeText("assistant", ids);
  ids.push_back(special.channel);
  O200k().EncodeText(channel, ids);
  ids.push_back(special.message);
  AppendApart(text, ids);
  ids.push_back(special.end);
  return ids;
}

Message Sampled(std::string_view channel, std::string_view text) {
  Message message = AssistantMessage(std::string(channel), std::string(text));
  message.ids = Apart(channel, text);
  return message;
}

// As a model writes a call: the recipient behind the channel, where the renderer puts it before.
Message SampledCall() {
  const SpecialTokens& special = O200k().special();
  Message message = ToolCallMessage("f", "{\"a\": 1}");
  Ids& ids = message.ids;
  ids.push_back(special.start);
  O200k().EncodeText("assistant", ids);
  ids.push_back(special.channel);
  O200k().EncodeText("commentary to=functions.f ", ids);
  ids.push_back(special.constrain);
  O200k().EncodeText("json", ids);
  ids.push_back(special.message);
  AppendApart("{\"a\": 1}", ids);
  ids.push_back(special.call);
  return message;
}

Rendered Rendering(std::vector<Message> messages, RenderMode mode = RenderMode::kConversation) {
  return Render({std::move(messages)}, O200k(), {.mode = mode}).value();
}

// What the renderer makes of the message without its ids.
Ids OfFields(Message message) {
  message.ids.clear();
  return Rendering({std::move(message)}).ids;
}

TEST(SampledIds, AreCopiedWhereTheySayTheMessage) {
  for (const Message& message :
       {Sampled("final", "Hello there, ä 🎉"), Sampled("analysis", "<|end|> is text"),
        Sampled("commentary", "I look."), SampledCall()}) {
    EXPECT_TRUE(IdsSayTheMessage(message, O200k()));
    EXPECT_NE(OfFields(message), message.ids);
    const Rendered rendered = Rendering({message});
    EXPECT_EQ(rendered.ids, message.ids);
    EXPECT_EQ(rendered.text, O200k().Decode(message.ids));
  }
}

TEST(SampledIds, DroppedReasoningIsDroppedWithItsIds) {
  const std::vector<Message> turn = {UserMessage("q"), Sampled("analysis", "think"), SampledCall(),
                                     ToolResultMessage("functions.f", "r")};
  std::vector<Message> answered = turn;
  answered.push_back(Sampled("final", "done"));
  std::vector<Message> without = answered;
  without.erase(without.begin() + 1);
  EXPECT_EQ(Rendering(answered).ids, Rendering(without).ids);
  const Ids running = Rendering(turn).ids, thought = Apart("analysis", "think");
  EXPECT_FALSE(std::ranges::search(running, thought).empty());
}

TEST(SampledIds, ATrainingExampleStillEndsInReturn) {
  const Rendered rendered = Rendering({UserMessage("q"), Sampled("final", "done")}, RenderMode::kTraining);
  EXPECT_EQ(rendered.ids.back(), O200k().special().return_);
  EXPECT_TRUE(rendered.text.ends_with("<|message|>done<|return|>"));
}

TEST(SampledIds, ThatSayAnythingElseAreNotUsed) {
  const SpecialTokens& special = O200k().special();
  const Message good = Sampled("final", "Hello there");
  const std::size_t content = 6;  // start, assistant, channel, final, message, then characters
  std::vector<Message> bad;
  const auto with = [&](auto change) {
    Message message = good;
    change(message);
    bad.push_back(std::move(message));
  };
  for (std::size_t length = 1; length < good.ids.size(); ++length)
    with([&](Message& m) { m.ids.resize(length); });
  for (const TokenId id : {special.start, special.end, special.message, special.channel, special.call,
                           special.return_, special.end_of_text, special.constrain, TokenId{-1},
                           TokenId{1 << 30}, O200k().EncodeText("x").front()}) {
    with([&](Message& m) { m.ids[content] = id; });
    with([&](Message& m) { m.ids.insert(m.ids.begin() + 1, id); });
    with([&](Message& m) { m.ids.push_back(id); });
    if (id != special.start) with([&](Message& m) { m.ids.front() = id; });
  }
  with([](Message& m) { m.content = {std::string("Hello")}; });
  with([](Message& m) { m.content = {std::string("Hello there"), std::string("x")}; });
  with([](Message& m) { m.channel = "analysis"; });
  with([](Message& m) { m.channel.reset(); });
  with([](Message& m) { m.name = "bob"; });
  with([](Message& m) { m.recipient = "functions.f"; });
  with([](Message& m) { m.content_type = "json"; });
  with([&](Message& m) { m.ids.insert(m.ids.end(), good.ids.begin(), good.ids.end()); });
  for (const Role role : {Role::kUser, Role::kTool}) {
    with([&](Message& m) {
      m.role = role;
      m.name = "functions.f";
    });
  }
  for (const Message& message : bad) {
    EXPECT_FALSE(IdsSayTheMessage(message, O200k()));
    EXPECT_EQ(Rendering({message}).ids, OfFields(message));
  }
  // Nobody but the assistant is believed, even where the ids are right.
  Message user = UserMessage("hi");
  user.ids = OfFields(user);
  EXPECT_FALSE(IdsSayTheMessage(user, O200k()));
}

TEST(SampledIds, ACompletionIsCutIntoItsMessages) {
  const SpecialTokens& special = O200k().special();
  const Ids think = Apart("analysis", "think"), answer = Apart("final", "done");
  const Ids header = {think[0], think[1]};
  Ids sampled(think.begin() + 2, think.end());
  sampled.insert(sampled.end(), answer.begin(), answer.end());
  sampled.back() = special.return_;
  EXPECT_EQ(CutIntoMessages(header, sampled, 2, special), (std::vector<Ids>{think, answer}));
  EXPECT_EQ(CutIntoMessages(header, sampled, 3, special), std::vector<Ids>(3));
  sampled.pop_back();  // cut off in the answer
  EXPECT_EQ(CutIntoMessages(header, sampled, 2, special), (std::vector<Ids>{think, answer}));
  const Ids begun(sampled.begin(), sampled.begin() + static_cast<std::ptrdiff_t>(think.size()) + 1);
  EXPECT_EQ(CutIntoMessages(header, begun, 1, special), std::vector<Ids>{think});  // cut off in a header
  EXPECT_TRUE(CutIntoMessages({}, {}, 0, special).empty());
}

}  // namespace
}  // namespace gptoss::harmony
