#include "acp/v1.h"

#include <gtest/gtest.h>

#include <string>

namespace gptoss::acp::v1 {
namespace {

Json Parse(std::string_view text) { return ParseJson(text).value(); }

TEST(Acp1Read, ClientTraitsOnlyWhereAnnounced) {
  const ClientTraits all = ReadClientTraits(Parse(R"({"clientCapabilities":{
    "fs":{"readTextFile":true,"writeTextFile":true},"terminal":true,"auth":{"terminal":true},
    "session":{"configOptions":{"boolean":{}},"notices":{},"compaction":{}},"elicitation":{"form":{},"url":{}},
    "_meta":{"terminal_output":true}}})"));
  EXPECT_TRUE(all.read_files && all.write_files && all.terminals && all.boolean_options && all.notices &&
              all.compaction && all.elicitation_form && all.elicitation_url && all.display_terminals &&
              all.terminal_auth);
  for (const char* text :
       {"{}", R"({"clientCapabilities":null})", R"({"clientCapabilities":{"fs":[],"session":7}})",
        R"({"clientCapabilities":{"fs":{"readTextFile":"yes"},"session":{"notices":null}}})"}) {
    const ClientTraits none = ReadClientTraits(Parse(text));
    EXPECT_FALSE(none.read_files || none.terminals || none.notices || none.boolean_options) << text;
  }
}

TEST(Acp1Read, ASessionNeedsAnAbsoluteFolderAndServers) {
  const auto message = [](std::string_view text) {
    const auto open = ReadOpenSession(Parse(text), false, true);
    return open ? std::string("fine") : open.error().message;
  };
  EXPECT_EQ(message(R"({"cwd":"/a","mcpServers":[]})"), "fine");
  EXPECT_NE(message(R"({"cwd":"a","mcpServers":[]})").find("absolute"), std::string::npos);
  EXPECT_NE(message(R"({"mcpServers":[]})").find("cwd"), std::string::npos);
  EXPECT_NE(message(R"({"cwd":"/a"})").find("mcpServers"), std::string::npos);
  EXPECT_NE(message(R"({"cwd":"/a","mcpServers":[{"name":"x"}]})").find("command"), std::string::npos);
  EXPECT_NE(message(R"({"cwd":"/a","mcpServers":[],"additionalDirectories":["b"]})").find("absolute"),
            std::string::npos);
  EXPECT_FALSE(ReadOpenSession(Parse(R"({"cwd":"/a"})"), true, false).has_value());
}

TEST(Acp1Read, AListIsAskedForInFoldersAndCursorsThatCanBeRead) {
  for (const char* text : {"null", "{}", R"({"cwd":null,"cursor":null})", R"({"cursor":""})"}) {
    const auto all = ReadListFilter(Parse(text));
    ASSERT_TRUE(all.has_value()) << text;
    EXPECT_FALSE(all->folder.has_value()) << text;
    EXPECT_EQ(all->cursor, "") << text;
  }
  const auto some = ReadListFilter(Parse(R"({"cwd":"/a","cursor":"5.s"})"));
  ASSERT_TRUE(some.has_value());
  EXPECT_EQ(some->folder, "/a");
  EXPECT_EQ(some->cursor, "5.s");
  for (const char* text :
       {R"({"cwd":5})", R"({"cwd":"x"})", R"({"cwd":""})", R"({"cursor":5})", R"({"cursor":{}})"})
    EXPECT_EQ(ReadListFilter(Parse(text)).error().code, ErrorCode::kInvalidArgument) << text;
}

TEST(Acp1Read, McpServersOfEachKind) {
  const auto open = ReadOpenSession(Parse(R"({"cwd":"/a","mcpServers":[
    {"name":"s","command":"/bin/s","args":["-x"],"env":[{"name":"A","value":"1"}]},
    {"type":"http","name":"h","url":"http://h/","headers":[{"name":"K","value":"v"}]},
    {"type":"sse","name":"e","url":"http://e/","headers":[]}]})"),
                                    false, true);
  ASSERT_TRUE(open.has_value()) << open.error().message;
  ASSERT_EQ(open->mcp_servers.size(), 3U);
  EXPECT_EQ(open->mcp_servers[0].environment.at(0).second, "1");
  EXPECT_EQ(open->mcp_servers[1].headers.at(0).first, "K");
  EXPECT_EQ(open->mcp_servers[2].kind, McpServer::Kind::kSse);
}

TEST(Acp1Read, PromptsKeepTheirBlocksAsTheyCame) {
  const Json params = Parse(R"({"prompt":[{"type":"text","text":"hi","_meta":{"k":1}},
    {"type":"resource_link","uri":"file:///a%20b","name":"a b"},
    {"type":"resource","resource":{"uri":"file:///c","text":"body"}},
    {"type":"resource","resource":{"uri":"file:///d","blob":"AA=="}},
    {"type":"image","data":"AA==","mimeType":"image/png"}]})");
  const auto prompt = ReadPrompt(params);
  ASSERT_TRUE(prompt.has_value()) << prompt.error().message;
  ASSERT_EQ(prompt->size(), 5U);
  for (std::size_t i = 0; i < prompt->size(); ++i) EXPECT_EQ((*prompt)[i].source, params["prompt"][i]);
  EXPECT_EQ((*prompt)[2].text, "body");
  EXPECT_FALSE((*prompt)[3].has_text);
  EXPECT_FALSE(ReadPrompt(Parse(R"({"prompt":[{"type":"text"}]})")).has_value());
  EXPECT_FALSE(ReadPrompt(Parse(R"({"prompt":"hi"})")).has_value());
  EXPECT_FALSE(ReadPrompt(Parse(R"({"prompt":[{"type":"video"}]})")).has_value());
}

TEST(Acp1Read, WhatIsNoAnswerDenies) {
  using Kind = PermissionOutcome::Kind;
  EXPECT_EQ(ReadPermissionOutcome(std::unexpected(net::RpcError{})).kind, Kind::kDenied);
  EXPECT_EQ(ReadPermissionOutcome(Parse("null")).kind, Kind::kDenied);
  EXPECT_EQ(ReadPermissionOutcome(Parse(R"({"outcome":{"outcome":"selected"}})")).kind, Kind::kDenied);
  EXPECT_EQ(ReadPermissionOutcome(Parse(R"({"outcome":{"outcome":"cancelled"}})")).kind, Kind::kCancelled);
  EXPECT_EQ(ReadPermissionOutcome(Parse(R"({"outcome":{"outcome":"selected","optionId":"a"}})")).option, "a");
}

TEST(Acp1Write, UpdatesHaveTheirShape) {
  const auto text = [](const Update& update) { return DumpJson(WriteUpdate(update, {})); };
  EXPECT_EQ(
      text(MessageChunk{.kind = MessageKind::kThought, .message_id = "m", .text = "t"}),
      R"({"sessionUpdate":"agent_thought_chunk","content":{"type":"text","text":"t"},"messageId":"m"})");
  ToolCall call{.id = "c",
                .creates = true,
                .title = "Edit",
                .name = "edit_file",
                .kind = ToolKind::kEdit,
                .status = ToolStatus::kPending};
  call.content = {ToolDiff{.path = "/f", .old_text = std::nullopt, .new_text = "n"}, ToolText{"x"}};
  call.locations = {Location{.path = "/f", .line = 3}};
  EXPECT_EQ(
      text(call),
      R"({"sessionUpdate":"tool_call","toolCallId":"c","title":"Edit","name":"edit_file","kind":"edit",)"
      R"("status":"pending","content":[{"type":"diff","path":"/f","newText":"n"},)"
      R"({"type":"content","content":{"type":"text","text":"x"}}],"locations":[{"path":"/f","line":3}]})");
  EXPECT_EQ(text(Usage{.used = 5, .size = 4096}), R"({"sessionUpdate":"usage_update","used":5,"size":4096})");
  EXPECT_EQ(text(ModeChanged{"m"}), R"({"sessionUpdate":"current_mode_update","currentModeId":"m"})");
}

TEST(Acp1Write, ASwitchIsAChoiceOfTwoForClientsWithoutBooleans) {
  const std::vector<ConfigOption> options = {{.id = "tools",
                                              .name = "Tools",
                                              .current = "on",
                                              .values = {{"on", "On", ""}, {"off", "Off", ""}},
                                              .is_switch = true}};
  EXPECT_EQ(WriteOptions(options, {})[0]["type"], "select");
  EXPECT_EQ(WriteOptions(options, {})[0]["currentValue"], "on");
  ClientTraits knows;
  knows.boolean_options = true;
  EXPECT_EQ(WriteOptions(options, knows)[0]["type"], "boolean");
  EXPECT_EQ(WriteOptions(options, knows)[0]["currentValue"], true);
}

TEST(Acp1Write, AFormIsAFlatSchema) {
  const Form form{
      .message = "Which?",
      .tool_call = "c",
      .fields = {{.id = "answer", .title = "Answer", .description = "", .choices = {"a", "b"}},
                 {.id = "other", .title = "Else", .description = "d", .choices = {}, .required = false}}};
  EXPECT_EQ(
      WriteForm(form, "s").dump(),
      R"({"mode":"form","sessionId":"s","message":"Which?","requestedSchema":{"type":"object","properties":)"
      R"({"answer":{"type":"string","title":"Answer","enum":["a","b"]},)"
      R"("other":{"type":"string","title":"Else","description":"d"}},"required":["answer"]},"toolCallId":"c"})");
}

TEST(Acp1Read, AnswersOfTheClient) {
  using Kind = FormOutcome::Kind;
  const auto kind = [](const char* text) { return ReadFormOutcome(Json::parse(text)).kind; };
  EXPECT_EQ(kind(R"({"action":"decline"})"), Kind::kDeclined);
  EXPECT_EQ(kind(R"({"action":"cancel"})"), Kind::kDismissed);
  EXPECT_EQ(kind(R"({"action":"_own"})"), Kind::kFailed);
  EXPECT_EQ(kind("[]"), Kind::kFailed);
  const FormOutcome accepted =
      ReadFormOutcome(Json::parse(R"({"action":"accept","content":{"a":"x","n":1}})"));
  EXPECT_EQ(accepted.kind, Kind::kAccepted);
  EXPECT_EQ(accepted.answers, (std::vector<std::pair<std::string, std::string>>{{"a", "x"}}));
  EXPECT_EQ(ReadTerminalExit(Json::parse(R"({"exitCode":3,"signal":null})")).code, 3);
  EXPECT_EQ(ReadTerminalExit(Json::parse(R"({"exitCode":null,"signal":"SIGTERM"})")).signal, "SIGTERM");
  EXPECT_FALSE(ReadTerminalExit(Json::parse("{}")).code.has_value());
  EXPECT_TRUE(ReadTerminalOutput(Json::parse(R"({"output":"o","truncated":true})"))->truncated);
  EXPECT_FALSE(ReadTerminalOutput(Json::parse(R"({"output":1})")).has_value());
  EXPECT_EQ(ReadTraceContext(Json::parse(R"({"_meta":{"traceparent":"00-a","baggage":1,"own":"x"}})")).dump(),
            R"({"traceparent":"00-a"})");
  EXPECT_TRUE(ReadTraceContext(Json::parse(R"({"_meta":null})")).is_null());
}

TEST(Acp1Write, ErrorsHaveTheirCodes) {
  EXPECT_EQ(RpcErrorOf({ErrorCode::kNotFound, "m"}).code, -32002);
  EXPECT_EQ(RpcErrorOf({ErrorCode::kInvalidArgument, "m"}).code, -32602);
  EXPECT_EQ(RpcErrorOf({ErrorCode::kResourceExhausted, "m"}).code, -32603);
}

}  // namespace
}  // namespace gptoss::acp::v1
