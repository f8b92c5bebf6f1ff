#include "settings/store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/acknowledgement.h"
#include "base/file.h"
#include "settings/settings.h"
#include "settings/toml_file.h"

namespace gptoss {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "gptoss-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    file_ = folder_ / "config.toml";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Put(std::string_view text) { ASSERT_TRUE(WriteFileAtomic(file_, text)); }
  std::string Text() { return ReadFile(file_).value_or("(none)"); }
  void Set(std::string_view name, std::string_view text) {
    const Status status = WriteSetting(file_, name, text);
    EXPECT_TRUE(status) << (status ? "" : status.error().message);
  }

  std::filesystem::path folder_, file_;
};

TEST_F(StoreTest, ANewFileIsMadeWithItsFolders) {
  file_ = folder_ / "a" / "b" / "config.toml";
  Set("memory.idle_unload", "5m");
  EXPECT_TRUE(Text().starts_with("# Settings of gptoss"));
  EXPECT_TRUE(Text().ends_with("\n\n[memory]\nidle_unload = \"5m\"\n")) << Text();
  Set("memory.kv_bits", "8");
  EXPECT_TRUE(Text().ends_with("\n\n[memory]\nidle_unload = \"5m\"\nkv_bits = 8\n")) << Text();
}

TEST_F(StoreTest, CommentsOrderAndSpellingStay) {
  Put("# mine\n\n[generation]   # taste\ntemperature = 0.2 # cold\n\ttop_p=0.5\n\n# memory\n[memory]\n"
      "floor = '''16GB''' # enough\nunknown = [1, 2]\n");
  Set("generation.temperature", "0.4");
  Set("generation.top_k", "40");
  Set("memory.floor", "32GB");
  Set("model.default", "/models/\"a\\b\"");
  EXPECT_EQ(Text(),
            "# mine\n\n[generation]   # taste\ntemperature = 0.4 # cold\n\ttop_p=0.5\n\ttop_k = 40\n\n# "
            "memory\n[memory]\n"
            "floor = \"32GB\" # enough\nunknown = [1, 2]\n\n[model]\ndefault = \"/models/\\\"a\\\\b\\\"\"\n");
  EXPECT_TRUE(*RemoveSetting(file_, "generation.top_k"));
  EXPECT_TRUE(*RemoveSetting(file_, "memory.floor"));
  EXPECT_TRUE(*RemoveSetting(file_, "memory.unknown"));
  EXPECT_FALSE(*RemoveSetting(file_, "memory.floor"));
  EXPECT_EQ(Text(),
            "# mine\n\n[generation]   # taste\ntemperature = 0.4 # cold\n\ttop_p=0.5\n\n# memory\n[memory]\n"
            "\n[model]\ndefault = \"/models/\\\"a\\\\b\\\"\"\n");
  Set("memory.floor", "20GB");  // into the section that is empty now
  EXPECT_NE(Text().find("[memory]\nfloor = \"20GB\"\n\n[model]"), std::string::npos) << Text();
}

TEST_F(StoreTest, OtherWaysToWriteAreUnderstood) {
  Put("generation.temperature = 0.2\r\n");
  Set("generation.top_p", "0.5");
  EXPECT_EQ(Text(), "generation.temperature = 0.2\r\ngeneration.top_p = 0.5\r\n");
  Put("memory = { kv_bits = 16, floor = \"16GB\" }");
  Set("memory.kv_bits", "8");
  EXPECT_EQ(Text(), "memory = { kv_bits = 8, floor = \"16GB\" }");
  Set("memory.bound", "2GB");
  EXPECT_EQ(Text(), "memory = { kv_bits = 8, floor = \"16GB\", bound = \"2GB\" }");
  const std::string before = Text();
  const auto removed = RemoveSetting(file_, "memory.floor");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(removed.error().message.find("make it a section [memory]"), std::string::npos)
      << removed.error().message;
  EXPECT_EQ(Text(), before);
  Put("memory = {} # none\nx = 1\n");
  Set("memory.kv_bits", "8");
  EXPECT_EQ(Text(), "memory = { kv_bits = 8 } # none\nx = 1\n");
  Put("[memory]\nfloor = \"16GB\"");  // no newline at the end
  Set("memory.bound", "2GB");
  EXPECT_EQ(Text(), "[memory]\nfloor = \"16GB\"\nbound = \"2GB\"\n");
  Put("[ memory ] # é\n\"é\" = 1\n[memory.sub]\nx = 1\n");
  Set("memory.preload", "true");
  EXPECT_EQ(Text(), "[ memory ] # é\n\"é\" = 1\npreload = true\n[memory.sub]\nx = 1\n");
  // A section that holds nothing, however its name is written; a text that looks like one is none.
  for (const std::string header : {"[ \"hub\" ]", "['hub'] # x", "\t[hub]", "[ \"h\\u0075b\" ]"}) {
    Put("s = '''\n[hub]\n'''\n" + header + "\n\n[memory]\n");
    Set("hub.offline", "true");
    EXPECT_EQ(Text(), "s = '''\n[hub]\n'''\n" + header + "\noffline = true\n\n[memory]\n") << header;
  }
}

TEST_F(StoreTest, BadChangesLeaveTheFileAsItIs) {
  Put("[memory]\nkv_bits = 8\n");
  EXPECT_EQ(WriteSetting(file_, "memory.kv_bits", "9").error().message, "memory.kv_bits is 8 or 16; not '9'");
  EXPECT_EQ(WriteSetting(file_, "memory.kv_bit", "8").error().message,
            "there is no setting 'memory.kv_bit'; did you mean memory.kv_bits?");
  EXPECT_EQ(RemoveSetting(file_, "memory.kv_bit").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(WriteSetting(file_, "model.default", "a\nb").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Text(), "[memory]\nkv_bits = 8\n");
  Put("[memory\n");
  EXPECT_EQ(WriteSetting(file_, "memory.kv_bits", "8").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Text(), "[memory\n");
}

TEST_F(StoreTest, NoneIsWrittenAndPathsAreNotRelative) {
  Set("generation.max_tokens", "none");
  Set("hub.cache_dir", "/where");
  Set("hub.token_file", "~/token");
  for (const char* relative : {"some/where", "~bob/x", "~"}) {
    EXPECT_EQ(WriteSetting(file_, "hub.cache_dir", relative).error().message,
              std::string("hub.cache_dir is a path that is absolute or begins with ~/, or none; not '") +
                  relative + "'");
  }
  EXPECT_NE(Text().find("max_tokens = \"none\""), std::string::npos) << Text();
  EXPECT_NE(Text().find("cache_dir = \"/where\""), std::string::npos) << Text();
  EXPECT_NE(Text().find("token_file = \"~/token\""), std::string::npos) << Text();
  const auto settings = Settings::Load({.system_file = "", .user_file = file_});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ((*settings)->IntegerIfSet("generation.max_tokens"), std::nullopt);
}

TEST_F(StoreTest, ALinkStaysALinkAndAReadOnlyFolderIsAnError) {
  std::filesystem::create_directory(folder_ / "dotfiles");
  const auto target = folder_ / "dotfiles" / "gptoss.toml";
  ASSERT_TRUE(WriteFileAtomic(target, "# linked\n"));
  std::filesystem::create_symlink(target, file_);
  Set("memory.kv_bits", "8");
  EXPECT_TRUE(std::filesystem::is_symlink(file_));
  EXPECT_EQ(*ReadFile(target), "# linked\n\n[memory]\nkv_bits = 8\n");
  // One that leads nowhere yet is written through as well, whatever it leads over.
  const auto elsewhere = folder_ / "not" / "there" / "yet.toml";
  std::filesystem::remove(file_);
  std::filesystem::create_symlink("second", file_);
  std::filesystem::create_symlink("not/there/yet.toml", folder_ / "second");
  Set("memory.kv_bits", "16");
  EXPECT_TRUE(std::filesystem::is_symlink(file_) && std::filesystem::is_symlink(folder_ / "second"));
  EXPECT_NE(ReadFile(elsewhere).value_or("").find("kv_bits = 16"), std::string::npos);
  // What it leads to keeps its permissions.
  std::filesystem::permissions(elsewhere, std::filesystem::perms::owner_read);
  Set("memory.kv_bits", "8");
  EXPECT_TRUE(std::filesystem::is_symlink(file_));
  EXPECT_EQ(std::filesystem::status(elsewhere).permissions(), std::filesystem::perms::owner_read);
  EXPECT_NE(ReadFile(elsewhere).value_or("").find("kv_bits = 8"), std::string::npos);
  std::filesystem::remove(folder_ / "second");
  std::filesystem::create_symlink("config.toml", folder_ / "second");
  const Status circle = WriteSetting(file_, "memory.kv_bits", "8");
  ASSERT_FALSE(circle);
  EXPECT_NE(circle.error().message.find("is a link that leads nowhere; remove it"), std::string::npos);
  if (::geteuid() == 0) return;  // nothing is forbidden to root
  std::filesystem::permissions(folder_,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const Status status = WriteSetting(folder_ / "other.toml", "memory.kv_bits", "8");
  std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPermissionDenied);
}

// Several processes at once, each with its own setting: every last write is in the file in the end, and
// whoever reads in between reads a whole file.
TEST_F(StoreTest, ProcessesDoNotLoseEachOthersWrites) {
  const std::vector<std::string> names = {"generation.top_k", "generation.max_tokens",
                                          "memory.context_tokens", "stream.buffer_chunks"};
  constexpr int kRounds = 12;
  std::vector<pid_t> children;
  for (const std::string& name : names) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool good = true;
      for (int i = 1; i <= kRounds && good; ++i)
        good = WriteSetting(file_, name, std::to_string(300 + i)).has_value();
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (int reads = 0; reads < 200; ++reads) {
    const auto settings = Settings::Load({.system_file = "", .user_file = file_});
    ASSERT_TRUE(settings) << settings.error().message;
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const auto settings = Settings::Load({.system_file = "", .user_file = file_});
  ASSERT_TRUE(settings) << settings.error().message;
  for (const std::string& name : names)
    EXPECT_EQ(FormatSetting((*settings)->entry(*FindSetting(name)).value), std::to_string(300 + kRounds))
        << name;
  // Nothing but the file and its lock is left.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2);
}

// Whatever the file looks like: a change either changes that one thing, or is refused and changes nothing.
TEST_F(StoreTest, RandomFilesAreChangedOnlyWhereAsked) {
  const std::vector<std::string> lines = {"[memory]",
                                          "[generation]",
                                          "floor = \"16GB\" # x",
                                          "memory.kv_bits = 8",
                                          "temperature = 1",
                                          "# comment",
                                          "",
                                          "  top_p = 0.1",
                                          "[[list]]",
                                          "a = [\n1,\n2]",
                                          "s = \"\"\"\n[memory]\n\"\"\"",
                                          "[memory.inner]",
                                          "\"memory\" = 1",
                                          "memory = {}",
                                          "kv_bits = 16\r"};
  std::mt19937 random(4);
  int changed = 0;
  for (int round = 0; round < 120; ++round) {
    std::string text;
    for (int i = 0; i < 6; ++i) text += lines[random() % lines.size()] + (random() % 9 == 0 ? "" : "\n");
    Put(text);
    const auto before = ParseToml(text, "before");
    const bool remove = random() % 3 == 0;
    const bool good = remove ? RemoveSetting(file_, "memory.kv_bits").has_value()
                             : WriteSetting(file_, "memory.kv_bits", "8").has_value();
    if (!good) {
      EXPECT_EQ(Text(), text);
      continue;
    }
    ++changed;
    ASSERT_TRUE(before);
    const auto after = ParseToml(Text(), "after");
    ASSERT_TRUE(after) << text << "-->\n" << Text();
    std::size_t others_before = 0, others_after = 0, found = 0;
    for (const TomlEntry& entry : *before) others_before += entry.name != "memory.kv_bits" ? 1u : 0u;
    for (const TomlEntry& entry : *after) {
      if (entry.name == "memory.kv_bits") {
        ++found;
        EXPECT_EQ(entry.value, TomlValue(std::int64_t{8}));
      } else {
        ++others_after;
      }
    }
    EXPECT_EQ(others_before, others_after);
    EXPECT_EQ(found, remove ? 0u : 1u) << text << "-->\n" << Text();
  }
  EXPECT_GT(changed, 15);
}

TEST_F(StoreTest, AcknowledgementsAreFoundAgainExactly) {
  const auto state = folder_ / "state";
  EXPECT_FALSE(FindAcknowledgement(state, "m", "r", "l")->has_value());
  ASSERT_TRUE(RecordAcknowledgement(state, {.model = "m", .revision = "r", .licence = "l", .how = "first"}));
  ASSERT_TRUE(
      RecordAcknowledgement(state, {.model = "m", .revision = "r", .licence = "l", .how = "second\n"}));
  const auto found = FindAcknowledgement(state, "m", "r", "l");
  ASSERT_TRUE(found && found->has_value());
  EXPECT_EQ((*found)->how, "second\n");
  EXPECT_EQ((*found)->time.size(), 20u);
  EXPECT_FALSE(FindAcknowledgement(state, "m", "other", "l")->has_value());
  EXPECT_FALSE(FindAcknowledgement(state, "m", "r", "other")->has_value());
  EXPECT_FALSE(RecordAcknowledgement(state, {.model = "m", .revision = "", .licence = "l", .how = "x"}));
  // A damaged line counts for nothing and harms no other.
  const auto record = state / "acknowledgements.jsonl";
  const std::string text = *ReadFile(record);
  ASSERT_TRUE(WriteFileAtomic(record, text + "{\"model\":\"x\",\"revi"));
  EXPECT_FALSE(FindAcknowledgement(state, "x", "r", "l")->has_value());
  ASSERT_TRUE(RecordAcknowledgement(state, {.model = "x", .revision = "r", .licence = "l", .how = "third"}));
  EXPECT_TRUE(FindAcknowledgement(state, "x", "r", "l")->has_value());
  EXPECT_TRUE(FindAcknowledgement(state, "m", "r", "l")->has_value());
}

TEST_F(StoreTest, AcknowledgementsOfManyWritersAreAllKept) {
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([this, writer] {
      for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(RecordAcknowledgement(folder_, {.model = std::to_string(writer),
                                                    .revision = std::to_string(i),
                                                    .licence = "l",
                                                    .how = "thread"}));
    });
  for (std::thread& writer : writers) writer.join();
  for (int writer = 0; writer < 4; ++writer)
    for (int i = 0; i < 5; ++i)
      EXPECT_TRUE(FindAcknowledgement(folder_, std::to_string(writer), std::to_string(i), "l")->has_value());
}

}  // namespace
}  // namespace gptoss
