// The tools of the agent, on a folder made for each test.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "agents/testing/recording_sink.h"
#include "agents/toolbox.h"
#include "agents/tools/ignore_rules.h"
#include "agents/tools/patch.h"
#include "agents/workspace.h"
#include "base/file.h"
#include "base/testing/temporary_folder.h"

namespace gptoss::agents {
namespace {

namespace fs = std::filesystem;
using acp::ToolStatus;
using testing::RecordingSink;

class ToolsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(base_ / "work" / "src");
    fs::create_directories(base_ / "other");
    Write("work/notes.txt", "one\ntwo\nthree\n");
    Write("other/secret.txt", "secret\n");
    workspace_ = std::make_unique<Workspace>(base_ / "work", std::vector<std::string>{});
    toolbox_ = std::make_unique<Toolbox>(
        *workspace_,
        LastingPermissions{
            .allowed = [this](std::string_view rule) { return rules_.contains(std::string(rule)); },
            .allow = [this](std::string_view rule) { rules_.emplace(rule); }});
    AddBuiltinTools(*toolbox_, false);
  }

  void Write(const std::string& name, std::string_view text) {
    fs::create_directories((base_ / name).parent_path());
    std::ofstream(base_ / name, std::ios::binary) << text;
  }
  std::string Read(const std::string& name) { return ReadFile(base_ / name).value_or("[none]"); }
  ToolAnswer Call(const std::string& name, const Json& arguments) {
    return toolbox_->Call(name, DumpJson(arguments), sink_, cancel_.token());
  }
  acp::ToolCall Last() { return sink_.Of<acp::ToolCall>().back(); }

  const TemporaryFolder temporary_;
  const fs::path base_ = temporary_.path();
  std::unique_ptr<Workspace> workspace_;
  std::set<std::string> rules_;
  std::unique_ptr<Toolbox> toolbox_;
  RecordingSink sink_;
  CancelSource cancel_;
};

// ---- paths
// -------------------------------------------------------------------------------------------------

TEST_F(ToolsTest, LinksThatLeadOutAreOutside) {
  fs::create_symlink(base_ / "other", base_ / "work" / "door");
  fs::create_symlink(base_ / "other" / "new.txt", base_ / "work" / "dangling");
  fs::create_symlink("loop", base_ / "work" / "loop");
  fs::create_symlink(base_ / "work" / "src", base_ / "work" / "inner");
  const auto inside = [&](std::string_view path) { return workspace_->Resolve(path).value().inside; };
  EXPECT_TRUE(inside("notes.txt"));
  EXPECT_TRUE(inside("."));
  EXPECT_TRUE(inside("new/deep/file"));
  EXPECT_TRUE(inside("inner/x.cc"));
  EXPECT_TRUE(inside("src/../notes.txt"));
  EXPECT_FALSE(inside("../other/secret.txt"));
  EXPECT_FALSE(inside("door/secret.txt"));
  EXPECT_FALSE(inside("door"));
  EXPECT_FALSE(inside("dangling"));
  EXPECT_FALSE(inside("new/../../other/x"));
  EXPECT_FALSE(inside((base_ / "work2").string()));
  EXPECT_FALSE(inside("/etc/passwd"));
  EXPECT_FALSE(workspace_->Resolve("loop").has_value());
  EXPECT_FALSE(workspace_->Resolve("").has_value());
  EXPECT_FALSE(workspace_->Resolve(std::string_view("a\0b", 3)).has_value());
}

TEST_F(ToolsTest, AFolderNamedWithASlashAndMoreFoldersAreRoots) {
  const Workspace two((base_ / "work").string() + "/", {(base_ / "other").string()});
  EXPECT_TRUE(two.Resolve("notes.txt")->inside);
  EXPECT_TRUE(two.Resolve("../other/secret.txt")->inside);
}

// ---- reading
// -----------------------------------------------------------------------------------------------

TEST_F(ToolsTest, ReadsInsideWithoutAskingAndOutsideOnlyWithPermission) {
  EXPECT_EQ(Call("read_file", {{"path", "notes.txt"}}).text, "one\ntwo\nthree\n");
  EXPECT_EQ(sink_.asked, 0);
  EXPECT_EQ(*Last().status, ToolStatus::kCompleted);
  sink_.choose = [](const auto&, const auto& options) {
    EXPECT_EQ(options.size(), 2U);  // nothing for ever
    return std::string("reject_once");
  };
  const ToolAnswer refused = Call("read_file", {{"path", "../other/secret.txt"}});
  EXPECT_EQ(refused.text.find("secret\n"), std::string::npos);
  EXPECT_EQ(*Last().status, ToolStatus::kFailed);
  sink_.choose = [](const auto&, const auto&) { return std::string("allow_once"); };
  EXPECT_EQ(Call("read_file", {{"path", "../other/secret.txt"}}).text, "secret\n");
  EXPECT_EQ(sink_.asked, 2);
}

TEST_F(ToolsTest, ReadsPartsOfAFile) {
  EXPECT_EQ(Call("read_file", {{"path", "notes.txt"}, {"line", 2}, {"limit", 1}}).text,
            "two\n[more follows: read on with \"line\": 3]");
  EXPECT_EQ(Call("read_file", {{"path", "notes.txt"}, {"line", "3"}}).text, "three\n");
  EXPECT_NE(Call("read_file", {{"path", "notes.txt"}, {"line", 9}}).text.find("3 lines"), std::string::npos);
  Write("work/empty", "");
  EXPECT_EQ(Call("read_file", {{"path", "empty"}}).text, "");
  Write("work/long", std::string(200'000, 'x'));
  EXPECT_LT(Call("read_file", {{"path", "long"}}).text.size(), 60'000U);
}

TEST_F(ToolsTest, WhatIsNoTextFileIsSaid) {
  ASSERT_EQ(::mkfifo((base_ / "work" / "pipe").c_str(), 0600), 0);
  Write("work/binary", std::string_view("a\0b", 3));
  for (const char* name : {"pipe", "binary", "src", "none"}) {
    const ToolAnswer answer = Call("read_file", {{"path", name}});
    EXPECT_EQ(*Last().status, ToolStatus::kFailed) << name << answer.text;
  }
  Write("work/latin", "caf\xe9\n");
  EXPECT_EQ(Call("read_file", {{"path", "latin"}}).text, "caf\xEF\xBF\xBD\n");
}

TEST_F(ToolsTest, ListsAFolder) {
  EXPECT_EQ(Call("list_directory", {{"path", "."}}).text, "notes.txt\nsrc/\n");
}

TEST_F(ToolsTest, SearchesWhatGitWouldTrack) {
  Write("work/.gitignore", "build/\n*.log\n!keep.log\n");
  Write("work/build/a.cc", "needle\n");
  Write("work/x.log", "needle\n");
  Write("work/keep.log", "needle\n");
  Write("work/src/a.cc", "int x;\nint needle = 42;\n");
  Write("work/src/.gitignore", "/gen.cc\n");
  Write("work/src/gen.cc", "needle\n");
  Write("work/.git/config", "needle\n");
  EXPECT_EQ(Call("search", {{"pattern", "needle"}}).text, "keep.log:1:needle\nsrc/a.cc:2:int needle = 42;\n");
  EXPECT_EQ(Call("search", {{"pattern", R"(NEEDLE = \d+;)"}, {"ignore_case", true}, {"files", "*.cc"}}).text,
            "src/a.cc:2:int needle = 42;\n");
  EXPECT_EQ(Call("search", {{"pattern", "absent"}}).text, "[no matches]");
  EXPECT_TRUE(Call("search", {{"pattern", "("}}).malformed);
  EXPECT_TRUE(Call("search", {{"pattern", R"((a)\1)"}}).malformed);
}

TEST(IgnoreRules, FollowGit) {
  const IgnoreRules rules = IgnoreRules::Parse(
      "# no\n\n*.o\n/root\ndocs/**/gen\nout/\n!important.o\n\\#file\nb[a-c]d\n**/deep/x\n");
  const auto ignored = [&](std::string_view path, bool folder = false) {
    return rules.Judge(path, folder) == IgnoreRules::Verdict::kIgnored;
  };
  EXPECT_TRUE(ignored("a/b.o"));
  EXPECT_FALSE(ignored("a/important.o"));
  EXPECT_TRUE(ignored("root"));
  EXPECT_FALSE(ignored("a/root"));
  EXPECT_TRUE(ignored("docs/gen"));
  EXPECT_TRUE(ignored("docs/a/b/gen"));
  EXPECT_TRUE(ignored("out", true));
  EXPECT_FALSE(ignored("out", false));
  EXPECT_TRUE(ignored("#file"));
  EXPECT_TRUE(ignored("x/bbd"));
  EXPECT_FALSE(ignored("x/bdd"));
  EXPECT_TRUE(ignored("deep/x"));
  EXPECT_TRUE(ignored("a/b/deep/x"));
  EXPECT_FALSE(ignored("a/b/deepx"));
}

TEST(GlobMatches, TakesNoExponentialTime) {
  EXPECT_FALSE(GlobMatches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
  EXPECT_TRUE(GlobMatches("[", "["));
  EXPECT_FALSE(GlobMatches("a*b", "a/b"));
}

// ---- changing
// ----------------------------------------------------------------------------------------------

TEST_F(ToolsTest, AnEditShowsItsDiffBeforeItIsAllowed) {
  sink_.choose = [](const acp::ToolCall& call, const auto&) {
    const auto& diff = std::get<acp::ToolDiff>(call.content->front());
    EXPECT_EQ(diff.old_text, "one\ntwo\nthree\n");
    EXPECT_EQ(diff.new_text, "one\n2\nthree\n");
    EXPECT_EQ(call.locations->front().line, 2U);
    EXPECT_EQ(*call.status, ToolStatus::kPending);
    return std::string("allow_once");
  };
  Call("edit_file", {{"path", "notes.txt"}, {"old_text", "two"}, {"new_text", "2"}});
  EXPECT_EQ(Read("work/notes.txt"), "one\n2\nthree\n");
  const auto calls = sink_.Of<acp::ToolCall>();
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_TRUE(calls[0].creates);
  EXPECT_EQ(*calls[1].status, ToolStatus::kInProgress);
  EXPECT_EQ(*calls[2].status, ToolStatus::kCompleted);
  EXPECT_EQ(calls[2].content->size(), 1U);
}

TEST_F(ToolsTest, ARefusedEditChangesNothingAndATurnThatIsCancelledEnds) {
  sink_.choose = [](const auto&, const auto&) { return std::string("reject_once"); };
  const ToolAnswer refused = Call("write_file", {{"path", "notes.txt"}, {"content", "x"}});
  EXPECT_NE(refused.text.find("refused"), std::string::npos);
  EXPECT_FALSE(refused.aborted);
  sink_.choose = [](const auto&, const auto&) { return std::string(); };
  EXPECT_TRUE(Call("write_file", {{"path", "notes.txt"}, {"content", "x"}}).aborted);
  sink_.choose = [](const auto&, const auto&) { return std::string("no-such-option"); };
  Call("write_file", {{"path", "notes.txt"}, {"content", "x"}});
  EXPECT_EQ(Read("work/notes.txt"), "one\ntwo\nthree\n");
}

TEST_F(ToolsTest, AlwaysIsRememberedForEditsInsideOnly) {
  sink_.choose = [](const auto&, const auto& options) {
    return options.size() == 4 ? "allow_always" : "allow_once";
  };
  Call("write_file", {{"path", "a.txt"}, {"content", "a"}});
  Call("write_file", {{"path", "b/c.txt"}, {"content", "b"}});
  EXPECT_EQ(sink_.asked, 1);
  EXPECT_EQ(Read("work/b/c.txt"), "b");
  Call("write_file", {{"path", "../other/d.txt"}, {"content", "d"}});
  EXPECT_EQ(sink_.asked, 2);
  EXPECT_EQ(Read("other/d.txt"), "d");
}

TEST_F(ToolsTest, ARefusalForEverIsNotAskedAgainAndGoesBeforeAnAllowance) {
  rules_ = {"edit"};
  sink_.choose = [](const auto&, const auto&) { return std::string("reject_always"); };
  Call("write_file", {{"path", "a.txt"}, {"content", "a"}});
  EXPECT_EQ(sink_.asked, 0);
  rules_.clear();
  Call("write_file", {{"path", "b.txt"}, {"content", "b"}});
  EXPECT_EQ(sink_.asked, 1);
  rules_.insert("edit");
  const ToolAnswer refused = Call("edit_file", {{"path", "a.txt"}, {"old_text", "a"}, {"new_text", "c"}});
  EXPECT_EQ(sink_.asked, 1);
  EXPECT_NE(refused.text.find("refused"), std::string::npos);
  EXPECT_EQ(*Last().status, ToolStatus::kFailed);
  EXPECT_EQ(Read("work/a.txt"), "a");
  EXPECT_EQ(Read("work/b.txt"), "[none]");
}

TEST_F(ToolsTest, FilesInsideGoThroughTheEditorWhereItOffersThat) {
  const std::string inside = (base_ / "work" / "notes.txt").string();
  sink_.client_files[inside] = "one\nTWO\n";
  EXPECT_EQ(Call("read_file", {{"path", "notes.txt"}}).text, "one\ntwo\nthree\n");  // not offered
  sink_.traits.read_files = sink_.traits.write_files = true;
  EXPECT_EQ(Call("read_file", {{"path", "notes.txt"}}).text, "one\nTWO\n");
  Call("edit_file", {{"path", "notes.txt"}, {"old_text", "TWO"}, {"new_text", "2"}});
  EXPECT_EQ(sink_.client_files[inside], "one\n2\n");
  EXPECT_EQ(Read("work/notes.txt"), "one\ntwo\nthree\n");
  Call("write_file", {{"path", "../other/out.txt"}, {"content", "o"}});
  EXPECT_EQ(Read("other/out.txt"), "o");
  sink_.refuse_writes = true;
  const ToolAnswer refused = Call("write_file", {{"path", "notes.txt"}, {"content", "x"}});
  EXPECT_NE(refused.text.find("read only"), std::string::npos);
  EXPECT_EQ(Read("work/notes.txt"), "one\ntwo\nthree\n");
}

TEST_F(ToolsTest, AFolderNamedByALinkIsTheClientsName) {
  fs::create_symlink(base_ / "work", base_ / "named");
  const Workspace workspace(base_ / "named", {});
  EXPECT_EQ(workspace.folder(), base_ / "work");
  EXPECT_EQ(workspace.ForClient(base_ / "work" / "src" / "a"), (base_ / "named" / "src" / "a").string());
  EXPECT_EQ(workspace.ForClient(base_ / "work"), (base_ / "named").string());
  EXPECT_EQ(workspace.ForClient(base_ / "other" / "b"), (base_ / "other" / "b").string());
}

// Nothing of a file outside is told before somebody has allowed it.
TEST_F(ToolsTest, AnEditOutsideTellsNothingBeforeItIsAllowed) {
  sink_.choose = [](const acp::ToolCall& call, const auto&) {
    EXPECT_FALSE(call.content.has_value());
    return std::string("reject_once");
  };
  const ToolAnswer hit =
      Call("edit_file", {{"path", "../other/secret.txt"}, {"old_text", "secret"}, {"new_text", "x"}});
  const ToolAnswer miss =
      Call("edit_file", {{"path", "../other/secret.txt"}, {"old_text", "absent"}, {"new_text", "x"}});
  EXPECT_EQ(hit.text, miss.text);
  EXPECT_EQ(Read("other/secret.txt"), "secret\n");
}

TEST_F(ToolsTest, AnEditNeedsOnePlace) {
  Write("work/twice", "x x");
  EXPECT_NE(Call("edit_file", {{"path", "twice"}, {"old_text", "x"}, {"new_text", "y"}}).text.find("2 times"),
            std::string::npos);
  EXPECT_TRUE(Call("edit_file", {{"path", "twice"}, {"old_text", "z"}, {"new_text", "y"}}).malformed);
  Call("edit_file", {{"path", "twice"}, {"old_text", "x"}, {"new_text", "y"}, {"replace_all", true}});
  EXPECT_EQ(Read("work/twice"), "y y");
}

TEST_F(ToolsTest, APatchAddsChangesMovesAndDeletes) {
  Write("work/src/a.cc", "int a;\nint b;\nint c;\n");
  Write("work/old.txt", "old\n");
  Call("apply_patch",
       {{"patch",
         "*** Begin Patch\n*** Update File: src/a.cc\n*** Move to: src/z.cc\n@@\n int a;\n-int b;\n+int B;\n"
         "*** Add File: new/n.txt\n+hello\n+there\n*** Delete File: old.txt\n*** End Patch\n"}});
  EXPECT_EQ(Read("work/src/z.cc"), "int a;\nint B;\nint c;\n");
  EXPECT_FALSE(fs::exists(base_ / "work/src/a.cc"));
  EXPECT_EQ(Read("work/new/n.txt"), "hello\nthere\n");
  EXPECT_FALSE(fs::exists(base_ / "work/old.txt"));
  EXPECT_EQ(Last().content->size(), 4U);
}

TEST_F(ToolsTest, APatchWithoutItsJsonIsTaken) {
  toolbox_->Call("apply_patch", "*** Begin Patch\n*** Add File: raw.txt\n+x\n*** End Patch", sink_, {});
  EXPECT_EQ(Read("work/raw.txt"), "x\n");
}

TEST_F(ToolsTest, APatchThatDoesNotFitChangesNothing) {
  const ToolAnswer answer = Call("apply_patch", {{"patch",
                                                  "*** Begin Patch\n*** Add File: n.txt\n+x\n*** Update "
                                                  "File: notes.txt\n@@\n-absent\n+y\n*** End Patch"}});
  EXPECT_TRUE(answer.malformed);
  EXPECT_NE(answer.text.find("absent"), std::string::npos);
  EXPECT_FALSE(fs::exists(base_ / "work/n.txt"));
}

TEST(Patch, FindsItsPlace) {
  const auto apply = [](const std::string& content, const std::string& body) {
    const auto files = ParsePatch("*** Begin Patch\n*** Update File: f\n" + body + "*** End Patch\n");
    if (!files) return "parse: " + files.error().message;
    const auto text = ApplyHunks(content, files->front().hunks);
    return text ? *text : "apply: " + text.error().message;
  };
  EXPECT_EQ(apply("a\nx\nb\nx\n", "@@ b\n-x\n+y\n"), "a\nx\nb\ny\n");
  EXPECT_EQ(apply("a  \nb\n", " a\n-b\n+c\n"), "a\nc\n");
  EXPECT_EQ(apply("  if (x)\n", "-if (x)\n+  if (y)\n"), "  if (y)\n");
  EXPECT_EQ(apply("a\r\nb\r\n", " a\n-b\n+c\n"), "a\r\nc\r\n");
  EXPECT_EQ(apply("a\nb", "@@\n-a\n+c\n"), "c\nb");
  EXPECT_EQ(apply("x\ny\nx\n", "@@\n-x\n+z\n*** End of File\n"), "x\ny\nz\n");
  EXPECT_EQ(apply("a\n", "@@\n+b\n"), "a\nb\n");
  EXPECT_EQ(apply("a\nb\nc\n", "@@\n-a\n+1\n@@\n-c\n+3\n"), "1\nb\n3\n");
  EXPECT_NE(apply("a\n", "@@\n-z\n+y\n").find("apply:"), std::string::npos);
  EXPECT_NE(apply("a\n", "@@\nnonsense\n").find("parse: line 4"), std::string::npos);
  for (const char* bad : {"", "*** Begin Patch\n", "*** Begin Patch\n*** End Patch",
                          "*** Begin Patch\n*** Update File: f\n*** End Patch",
                          "*** Begin Patch\n*** Add File: f\nx\n*** End Patch"})
    EXPECT_FALSE(ParsePatch(bad).has_value()) << bad;
}

// ---- running
// -----------------------------------------------------------------------------------------------

TEST_F(ToolsTest, ACommandTellsItsOutputAndItsEnd) {
  EXPECT_EQ(Call("run_command", {{"command", "cat notes.txt; echo oops >&2; exit 3"}}).text,
            "one\ntwo\nthree\noops\n[exit code 3]");
  EXPECT_EQ(*Last().status, ToolStatus::kFailed);
  EXPECT_EQ((*Last().raw_output)["exitCode"], 3);
  EXPECT_EQ(Call("run_command", {{"command", "read x; echo \"[$x]\""}}).text, "[]\n[exit code 0]");
}

TEST_F(ToolsTest, ALongOutputIsAbridgedAndCostsNoMemory) {
  const ToolAnswer answer = Call("run_command", {{"command", "yes 0123456789 | head -c 5000000; echo END"}});
  EXPECT_LT(answer.text.size(), 30'000U);
  EXPECT_NE(answer.text.find("END\n[exit code 0]"), std::string::npos);
  EXPECT_NE(answer.text.find("left out"), std::string::npos);
}

TEST_F(ToolsTest, CancelKillsTheWholeGroup) {
  std::thread canceller([&] {
    while (!fs::exists(base_ / "work" / "pid")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    cancel_.Cancel();
  });
  const ToolAnswer answer = Call("run_command", {{"command", "sleep 1000 & echo $! > p && mv p pid; wait"}});
  canceller.join();
  EXPECT_NE(answer.text.find("cancelled"), std::string::npos);
  const int pid = std::stoi(Read("work/pid"));
  // Reaped by init, sooner or later.
  for (int i = 0; i < 5000 && ::kill(pid, 0) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(ToolsTest, ACommandIsStoppedAfterItsTime) {
  EXPECT_NE(
      Call("run_command", {{"command", "sleep 1000"}, {"timeout_seconds", 1}}).text.find("stopped after 1 s"),
      std::string::npos);
}

TEST_F(ToolsTest, DisplayTerminalsGetIncrements) {
  sink_.traits.display_terminals = true;
  Call("run_command", {{"command", "printf 'a\\303'; sleep 0.6; printf '\\244b'"}});
  std::string data;
  bool info = false, ended = false;
  for (const acp::ToolCall& call : sink_.Of<acp::ToolCall>()) {
    if (call.meta.contains("terminal_info")) info = true;
    if (call.meta.contains("terminal_output"))
      data += call.meta["terminal_output"]["data"].get<std::string>();
    if (call.meta.contains("terminal_exit")) ended = call.meta["terminal_exit"]["exit_code"] == 0;
    EXPECT_TRUE(call.meta.is_null() || call.transient);
  }
  EXPECT_TRUE(info && ended);
  EXPECT_EQ(data,
            "a\xC3\xA4"
            "b");
}

// ---- calls
// -------------------------------------------------------------------------------------------------

TEST_F(ToolsTest, MalformedCallsAreToldToTheModel) {
  for (const auto& [name, arguments] :
       std::vector<std::pair<std::string, std::string>>{{"read_file", "{"},
                                                        {"read_file", "[1]"},
                                                        {"read_file", "{}"},
                                                        {"read_file", R"({"path":7})"},
                                                        {"no_such", "{}"}}) {
    const ToolAnswer answer = toolbox_->Call(name, arguments, sink_, {});
    EXPECT_TRUE(answer.malformed) << name << arguments;
    EXPECT_TRUE(answer.text.starts_with("Error: ")) << answer.text;
    EXPECT_EQ(*Last().status, ToolStatus::kFailed);
  }
}

TEST_F(ToolsTest, ThePlanIsShown) {
  Call("update_plan",
       {{"plan",
         {{{"step", "look"}, {"status", "completed"}}, {{"step", "change"}, {"status", "in_progress"}}}}});
  const auto plans = sink_.Of<acp::Plan>();
  ASSERT_EQ(plans.size(), 1U);
  EXPECT_EQ(plans[0].entries[1].status, "in_progress");
  EXPECT_TRUE(Call("update_plan", {{"plan", {{{"step", "x"}, {"status", "later"}}}}}).malformed);
}

}  // namespace
}  // namespace gptoss::agents
