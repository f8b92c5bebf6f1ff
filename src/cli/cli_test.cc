#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "cli/doctor_checks.h"
#include "cli/eval_demo.h"
#include "cli/generation_options.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_option.h"
#include "cli/reporter.h"
#include "cli/telemetry_table.h"
#include "cli/terminal.h"
#include "cli/testing/captured_output.h"
#include "hub/manifest.h"
#include "settings/settings.h"

namespace gptoss::cli {
namespace {

TEST(Terminal, ControlCharactersAreDropped) {
  EXPECT_EQ(WithoutControls("a\x1b[31mb\x07\r\n\tc\x7f"), "a[31mb\n\tc");
  EXPECT_EQ(WithoutControls("x\xc2\x9b"
                            "2Jy"),
            "x2Jy");  // C1 CSI
  EXPECT_EQ(WithoutControls("é😀\xc2\xa0"), "é😀\xc2\xa0");
  EXPECT_EQ(WithoutControls(std::string("a\0b", 3)), "ab");
}

TEST(Terminal, AClosedPipeAndABadDescriptorAreToldApart) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  ::signal(SIGPIPE, SIG_IGN);
  Output pipe(ends[1]);
  EXPECT_FALSE(pipe.Write("x"));
  EXPECT_TRUE(pipe.closed());
  EXPECT_TRUE(pipe.status());
  ::close(ends[1]);
  Output bad(ends[1]);
  EXPECT_FALSE(bad.Write("x"));
  EXPECT_FALSE(bad.closed());
  EXPECT_FALSE(bad.status());
}

TEST(Input, PromptIsArgumentThenEmptyLineThenStdin) {
  EXPECT_EQ(JoinPrompt("Explain", "code\n\n"), "Explain\n\ncode");
  EXPECT_EQ(JoinPrompt("", "only\r\n"), "only");
  EXPECT_EQ(JoinPrompt("only", ""), "only");
  EXPECT_EQ(JoinPrompt("", "\n"), "");
  EXPECT_EQ(JoinPrompt("a\xff", ""), "a\xEF\xBF\xBD");
}

TEST(Input, LinesAreToldApartFromTheEnd) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::string text = "one\ntwo\r\n\nlast";
  ASSERT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(ends[1]);
  LineReader reader(ends[0], -1);
  std::string line;
  for (const char* expected : {"one", "two", "", "last"}) {
    ASSERT_EQ(reader.Next(line), LineReader::Event::kLine);
    EXPECT_EQ(line, expected);
  }
  EXPECT_EQ(reader.Next(line), LineReader::Event::kEnd);
  ::close(ends[0]);
}

TEST(Interrupt, CancelsTheTurnOrWakesTheReader) {
  InterruptHandler handler;
  const CancelSource cancel;
  handler.BeginTurn(cancel);
  ::raise(SIGINT);
  EXPECT_TRUE(cancel.cancelled());
  handler.EndTurn();
  EXPECT_FALSE(handler.TakeInterrupt());
  ::raise(SIGINT);
  int silent[2];
  ASSERT_EQ(::pipe(silent), 0);
  LineReader reader(silent[0], handler.wake_descriptor());
  std::string line;
  EXPECT_EQ(reader.Next(line), LineReader::Event::kInterrupt);
  EXPECT_TRUE(handler.TakeInterrupt());
  EXPECT_FALSE(handler.TakeInterrupt());
  EXPECT_FALSE(handler.terminated());
  ::close(silent[0]);
  ::close(silent[1]);
}

// State and configuration of their own, whatever the machine has.
class ModelOption : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "gptoss-option-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    ::setenv("GPTOSS_STATE_DIR", (folder_ / "state").c_str(), 1);
    ::setenv("GPTOSS_CONFIG", (folder_ / "config.toml").c_str(), 1);
    ::unsetenv("GPTOSS_MODEL");
  }
  void TearDown() override {
    for (const char* name : {"GPTOSS_STATE_DIR", "GPTOSS_CONFIG", "GPTOSS_MODEL"}) ::unsetenv(name);
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  // An installed model whose one file is whole.
  void Install(const std::string& model, const std::string& repository) {
    const std::filesystem::path place = folder_ / repository;
    std::filesystem::create_directories(place);
    ASSERT_TRUE(WriteFileAtomic(place / "m.gguf", "GGUF"));
    hub::Manifest manifest;
    manifest.model = model;
    manifest.repository = repository;
    manifest.commit = std::string(40, 'a');
    manifest.folder = place;
    manifest.verified_at = "2026-01-01T00:00:00Z";
    manifest.files = {{.path = "m.gguf", .size = 4, .hash = {std::string(64, 'a')}}};
    ASSERT_TRUE(hub::ManifestStore(folder_ / "state").Write(manifest));
  }
  std::filesystem::path folder_;
};

TEST_F(ModelOption, OptionThenVariableThenSettingThenDemo) {
  EXPECT_TRUE(SelectModel("")->demo());
  EXPECT_NE(SelectionNotice(*SelectModel("")).find("gptoss install"), std::string::npos);
  ASSERT_TRUE(WriteFileAtomic(folder_ / "config.toml", "[model]\ndefault = \"/from/setting\"\n"));
  EXPECT_EQ(SelectModel("")->path, "/from/setting");
  EXPECT_NE(SelectModel("")->origin.find("config.toml"), std::string::npos);
  ::setenv("GPTOSS_MODEL", "/from/variable", 1);
  EXPECT_EQ(SelectModel("")->path, "/from/variable");
  EXPECT_EQ(SelectModel("/from/option")->path, "/from/option");
  EXPECT_EQ(SelectModel("/from/option")->origin, "");
  EXPECT_TRUE(SelectModel("demo")->demo());
  EXPECT_EQ(SelectionNotice(*SelectModel("demo")), "");
  ::setenv("GPTOSS_MODEL", "", 1);
  EXPECT_NE(SelectModel("")->path, "/from/variable");
}

TEST_F(ModelOption, AnInstalledModelGoesBeforeTheDemoAndEmbeddingsNeverAnswer) {
  Install("embeddinggemma-300m", "ggml-org/embeddinggemma-300m-qat-q8_0-GGUF");
  EXPECT_TRUE(SelectModel("")->demo());
  Install("gpt-oss-20b:gguf", "ggml-org/gpt-oss-20b-GGUF");
  const auto selected = SelectModel("");
  ASSERT_TRUE(selected);
  EXPECT_EQ(selected->name, "gpt-oss-20b:gguf");
  EXPECT_EQ(selected->path, folder_ / "ggml-org/gpt-oss-20b-GGUF/m.gguf");
  EXPECT_NE(SelectionNotice(*selected).find("gpt-oss-20b:gguf answers"), std::string::npos);
  Install("gpt-oss-20b", "mlx-community/gpt-oss-20b-MXFP4-Q8");
  EXPECT_EQ(SelectModel("")->name, "gpt-oss-20b");
  EXPECT_EQ(SelectModel("gpt-oss-20b:gguf")->name, "gpt-oss-20b:gguf");
  EXPECT_EQ(SelectModel("ggml-org/gpt-oss-20b-GGUF")->name, "gpt-oss-20b:gguf");
}

TEST_F(ModelOption, DamageAndUnknownNamesSayWhatToDo) {
  Install("gpt-oss-20b", "acme/gpt-oss");
  ASSERT_TRUE(WriteFileAtomic(folder_ / "acme/gpt-oss/m.gguf", "GG"));
  for (const char* name : {"", "gpt-oss-20b"}) {
    const auto damaged = SelectModel(name);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, ErrorCode::kDataLoss);
    EXPECT_NE(damaged.error().message.find("gptoss verify gpt-oss-20b --repair"), std::string::npos);
  }
  const auto unknown = SelectModel("gpt-oss-120b");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_NE(unknown.error().message.find("gptoss install gpt-oss-120b"), std::string::npos);
}

TEST(GenerationOptions, SettingsFillWhatTheCommandLineLeavesOpen) {
  ::setenv("GPTOSS_CONFIG", "/nonexistent/config.toml", 1);
  const SamplingOptions engine;
  EXPECT_EQ(Settings::Defaults()->Number("generation.temperature"), engine.temperature);
  EXPECT_EQ(Settings::Defaults()->Number("generation.top_p"), engine.top_p);
  EXPECT_EQ(Settings::Defaults()->Integer("generation.top_k"), engine.top_k);
  EXPECT_EQ(Settings::Defaults()->Number("generation.min_p"), engine.min_p);
  GenerationArguments arguments;
  ASSERT_TRUE(ApplySettings(arguments));
  EXPECT_EQ(arguments.temperature, std::nullopt);  // a default is no wish
  EXPECT_EQ(arguments.max_tokens, std::nullopt);
  EXPECT_EQ(arguments.effort, "medium");
  ::setenv("GPTOSS_GENERATION_TEMPERATURE", "0.25", 1);
  ::setenv("GPTOSS_GENERATION_MAX_TOKENS", "7", 1);
  ::setenv("GPTOSS_GENERATION_REASONING_EFFORT", "high", 1);
  GenerationArguments open, given;
  given.temperature = 1.0;
  given.max_tokens = 0;
  given.effort = "low";
  EXPECT_TRUE(ApplySettings(open));
  EXPECT_TRUE(ApplySettings(given));
  EXPECT_EQ(open.temperature, 0.25);
  EXPECT_EQ(open.max_tokens, 7);
  EXPECT_EQ(open.effort, "high");
  EXPECT_EQ(given.temperature, 1.0);
  EXPECT_EQ(given.max_tokens, 0);
  EXPECT_EQ(given.effort, "low");
  ::setenv("GPTOSS_GENERATION_TEMPERATURE", "hot", 1);
  EXPECT_FALSE(ApplySettings(open));
  for (const char* name : {"GPTOSS_GENERATION_TEMPERATURE", "GPTOSS_GENERATION_MAX_TOKENS",
                           "GPTOSS_GENERATION_REASONING_EFFORT"})
    ::unsetenv(name);
}

TEST(Doctor, FoldersSayWhoMayWrite) {
  std::string name = (std::filesystem::temp_directory_path() / "gptoss-doctor-XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const std::filesystem::path folder = name;
  EXPECT_EQ(CheckFolder("x", folder).health, Health::kOk);
  EXPECT_EQ(CheckFolder("x", folder / "not" / "yet").health, Health::kOk);
  std::filesystem::permissions(folder, std::filesystem::perms::all);
  EXPECT_EQ(CheckFolder("x", folder).health, Health::kWarning);
  std::ofstream(folder / "file") << "x";
  EXPECT_EQ(CheckFolder("x", folder / "file").health, Health::kError);
  EXPECT_EQ(CheckFolder("x", folder / "file" / "below").health, Health::kError);
  std::filesystem::remove_all(folder);
}

TEST(GenerationOptions, TheDemoIsGreedyUnlessChanceIsWished) {
  GenerationArguments arguments;
  EXPECT_EQ(SamplingFor(arguments, true).temperature, 0.0);
  EXPECT_GT(SamplingFor(arguments, false).temperature, 0.0);
  arguments.seed = 1;
  EXPECT_GT(SamplingFor(arguments, true).temperature, 0.0);
  arguments.temperature = 0.25;
  EXPECT_EQ(SamplingFor(arguments, true).temperature, 0.25);
}

TEST(GenerationOptions, ToolsInBothForms) {
  const auto tools = ParseTools(
      R"([{"name":"f","description":"d","parameters":{"type":"object","properties":{}}},
          {"type":"function","function":{"name":"g"}}])",
      "t.json");
  ASSERT_TRUE(tools) << tools.error().message;
  ASSERT_EQ(tools->tools.size(), 2u);
  EXPECT_EQ(tools->tools[0].description, "d");
  EXPECT_TRUE(tools->tools[0].parameters.has_value());
  EXPECT_EQ(tools->tools[1].name, "g");
  for (const char* bad : {"{}", "[1]", "[{}]", R"([{"name":"a b"}])", R"([{"name":"f","parameters":3}])",
                          R"([{"name":"f"},{"name":"f"}])", "[", R"([{"name":""}])"}) {
    const auto refused = ParseTools(bad, "t.json");
    ASSERT_FALSE(refused) << bad;
    EXPECT_TRUE(refused.error().message.starts_with("t.json")) << refused.error().message;
  }
}

TEST(GenerationOptions, BadValuesAreRefusedBeforeAModelIsLoaded) {
  GenerationArguments arguments;
  EXPECT_TRUE(CheckArguments(arguments));
  arguments.effort = "huge";
  EXPECT_FALSE(CheckArguments(arguments));
  arguments.effort = "low";
  arguments.top_p = 1.5;
  EXPECT_FALSE(CheckArguments(arguments));
  arguments.top_p.reset();
  arguments.max_tokens = -1;
  EXPECT_FALSE(CheckArguments(arguments));
}

TEST(Reporter, ToolCallsKeepTheOrderOfKeysAndBadJsonStaysText) {
  ToolCall call{.name = "get_weather", .arguments = R"({"z":1,"a":2})"};
  EXPECT_EQ(DumpJson(ToolCallJson(call)), R"({"name":"get_weather","arguments":{"z":1,"a":2}})");
  call.arguments = "{oops";
  EXPECT_EQ(DumpJson(ToolCallJson(call)), R"({"name":"get_weather","arguments":"{oops"})");
}

TEST(Reporter, AnAnswerThatOnlyTheResultHoldsIsPrintedWithOneNewline) {
  CapturedOutput out, err;
  TextReporter reporter(out, err, {});
  StreamDone result;
  result.end = TurnEnd::kAnswer;
  result.answer = "\nHello\n\nworld\n\n";
  reporter.End(result);
  EXPECT_EQ(out.text(), "Hello\n\nworld\n");
  EXPECT_EQ(err.text(), "");
}

TEST(Reporter, ATerminalGetsNoControlCharactersButAPipeGetsAll) {
  StreamDone result;
  result.end = TurnEnd::kAnswer;
  result.answer = "a\x1b]0;title\x07";
  CapturedOutput terminal(true), pipe, err;
  TextReporter(terminal, err, {}).End(result);
  TextReporter(pipe, err, {}).End(result);
  EXPECT_EQ(terminal.text(), "a]0;title\n");
  EXPECT_EQ(pipe.text(), "a\x1b]0;title\x07\n");
}

TEST(Reporter, MessagesAreSetApartAndReasoningStaysOnStderr) {
  CapturedOutput out, err;
  TextReporter reporter(out, err, {.show_reasoning = true});
  reporter.Begin({}, false);
  using Channel = StreamChunk::Channel;
  reporter.Chunk({.channel = Channel::kAnalysis, .message_id = 0, .text = "hm"});
  reporter.Chunk({.channel = Channel::kFinal, .message_id = 1, .text = "One.\n"});
  reporter.Chunk({.channel = Channel::kFinal, .message_id = 2, .text = "Two."});
  reporter.Chunk({.channel = Channel::kToolCall, .message_id = 3, .text = "{}"});
  StreamDone done;
  done.end = TurnEnd::kToolCall;
  done.answer = "One.\nTwo.";
  done.tool_calls = {{.name = "f", .arguments = "{}"}};
  reporter.End(done);
  EXPECT_EQ(out.text(), "One.\n\nTwo.\n{\"tool_call\":{\"name\":\"f\",\"arguments\":{}}}\n");
  EXPECT_EQ(err.text(), "hm\n");
}

TEST(TelemetryTable, PercentilesSparksAndJson) {
  EXPECT_EQ(Percentile({}, 50), 0);
  EXPECT_EQ(Percentile({3, 1, 2}, 50), 2);
  EXPECT_EQ(Percentile({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, 95), 19);
  EXPECT_EQ(Sparkline({}), "");
  EXPECT_EQ(Sparkline(std::vector<double>{1, 1}), "▁▁");
  EXPECT_EQ(Sparkline(std::vector<double>{0, 4, 8}), "▁▅█");
  TelemetryLog log;
  EXPECT_EQ(TelemetryTable(log), "");
  for (int i = 1; i <= 4; ++i) {
    GenerationRecord record;
    record.time = "2026-01-01T00:00:0" + std::to_string(i) + ".000Z";
    record.first_token_ms = 10.0 * i;
    record.generated_tokens = i;
    record.stop_reason = i == 4 ? "cancelled" : "answer";
    record.cancelled = i == 4;
    log.records.push_back(record);
  }
  const std::string table = TelemetryTable(log);
  EXPECT_NE(table.find("4 generations"), std::string::npos) << table;
  EXPECT_NE(table.find("20.0      40.0      40.0   ▁▃▆█"), std::string::npos) << table;
  EXPECT_NE(table.find("ended by answer 3, cancelled 1"), std::string::npos) << table;
  const Json json = TelemetryJson(log);
  EXPECT_EQ(json["generations"], 4);
  EXPECT_EQ(json["first_token_ms"]["p95"], 40.0);
  EXPECT_EQ(json["tokens_per_second"]["p50"], 0.0);
  EXPECT_EQ(json["stop_reasons"]["answer"], 3);
}

TEST(EvalDemo, JudgesAnswersAndCalls) {
  const auto final_case = ParseEvalCase(
      R"({"id":"1","category":"c","conversation":{"messages":[{"role":"user","content":"q"}]},
          "expect":{"kind":"final","contains_any":[["RED","blue"],["sky"]]}})");
  ASSERT_TRUE(final_case) << final_case.error().message;
  TurnResult result;
  result.end = TurnEnd::kAnswer;
  result.answer = "The Sky is Blue.";
  harmony::ParsedMessage message;
  message.stop = "return";
  result.messages = {message};
  EXPECT_EQ(WhyWrong(*final_case, result), "");
  EXPECT_EQ(WhyMalformed(result), "");
  result.answer = "The sky is green.";
  EXPECT_NE(WhyWrong(*final_case, result), "");
  result.flags = {"some_repair"};
  EXPECT_NE(WhyMalformed(result), "");

  const auto call_case = ParseEvalCase(
      R"({"id":"2","category":"c","conversation":{"messages":[]},
          "expect":{"kind":"tool_call","recipient":"functions.f","arguments":{"a":1,"b":"x"}}})");
  ASSERT_TRUE(call_case) << call_case.error().message;
  TurnResult call;
  call.end = TurnEnd::kToolCall;
  message.recipient = "functions.f";
  message.content = R"({"b":"x","a":1})";  // another order of keys is the same object
  message.stop = "call";
  call.messages = {message};
  EXPECT_EQ(WhyWrong(*call_case, call), "");
  EXPECT_EQ(WhyMalformed(call), "");
  call.messages[0].content = R"({"b":"x"})";
  EXPECT_NE(WhyWrong(*call_case, call), "");
  for (const char* bad :
       {"", "[]", "{}", R"({"id":"1","category":"c","conversation":{"messages":[]},"expect":{}})"})
    EXPECT_FALSE(ParseEvalCase(bad)) << bad;
}

}  // namespace
}  // namespace gptoss::cli
