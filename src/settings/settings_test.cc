#include "settings/settings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "base/file.h"
#include "settings/paths.h"

namespace gptoss {
namespace {

std::filesystem::path TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "gptoss-settings-XXXXXX").string();
  return ::mkdtemp(name.data()) != nullptr ? name : std::string();
}

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(folder_.empty()); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void System(std::string_view text) { ASSERT_TRUE(WriteFileAtomic(folder_ / "system.toml", text)); }
  void User(std::string_view text) { ASSERT_TRUE(WriteFileAtomic(folder_ / "user.toml", text)); }
  SettingsInput Input() {
    return {.system_file = folder_ / "system.toml",
            .user_file = folder_ / "user.toml",
            .environment = [this](const char* name) -> const char* {
              const auto found = environment_.find(name);
              return found == environment_.end() ? nullptr : found->second.c_str();
            },
            .flags = flags_};
  }
  Settings::Pointer Loaded() {
    auto settings = Settings::Load(Input());
    if (settings) return *settings;
    ADD_FAILURE() << settings.error().message;
    return Settings::Defaults();
  }
  Error Refused() {
    auto settings = Settings::Load(Input());
    if (!settings) return settings.error();
    ADD_FAILURE() << "not refused";
    return {};
  }
  static const Settings::Entry& EntryOf(const Settings::Pointer& settings, std::string_view name) {
    return settings->entry(FindSetting(name).value_or(0));
  }

  const std::filesystem::path folder_ = TemporaryFolder();
  std::map<std::string, std::string> environment_;
  std::vector<std::pair<std::string, std::string>> flags_;
};

TEST(Declarations, AreWholeAndTheirDefaultsInTheirRanges) {
  std::set<std::string> names, variables;
  for (const Declaration& d : kDeclarations) {
    EXPECT_TRUE(names.insert(std::string(d.name)).second) << d.name;
    EXPECT_TRUE(variables.insert(EnvironmentName(d)).second) << d.name;
    EXPECT_EQ(std::ranges::count(d.name, '.'), 1) << d.name;
    EXPECT_FALSE(d.help.empty() || d.help.ends_with('.')) << d.name;
    const auto value = ParseSetting(d, d.fallback);
    ASSERT_TRUE(value) << value.error().message;
    EXPECT_EQ(std::holds_alternative<Unset>(*value), d.fallback.empty()) << d.name;
    for (const std::string_view limit : {d.minimum, d.maximum}) {
      EXPECT_TRUE(limit.empty() || ParseSetting(d, limit)) << d.name << " " << limit;
    }
    EXPECT_FALSE(d.type == SettingType::kEnum && d.choices.empty()) << d.name;
    EXPECT_FALSE(DescribeRange(d).empty()) << d.name;
  }
}

TEST(Declarations, TheDefaultsThatOthersCountOn) {
  const auto settings = Settings::Defaults();
  EXPECT_EQ(settings->Number("generation.temperature"), 0.7);
  EXPECT_EQ(settings->Number("generation.top_p"), 0.9);
  EXPECT_EQ(settings->IntegerIfSet("generation.max_tokens"), std::nullopt);
  EXPECT_EQ(settings->Enum("generation.reasoning_effort"), "medium");
  EXPECT_EQ(settings->Bytes("memory.floor"), 16'000'000'000u);
  EXPECT_EQ(settings->Bytes("memory.advised"), 24'000'000'000u);
  EXPECT_EQ(settings->Time("memory.idle_unload"), Duration{std::chrono::minutes(10)});
  EXPECT_EQ(settings->Integer("memory.kv_bits"), 16);
  EXPECT_EQ(settings->BytesIfSet("memory.bound"), std::nullopt);
#if defined(GPTOSS_DEVELOPER_BUILD)
  EXPECT_TRUE(settings->Bool("telemetry.enabled"));
  EXPECT_EQ(settings->entry(*FindSetting("telemetry.enabled")).where, "of a developer build");
#else
  EXPECT_FALSE(settings->Bool("telemetry.enabled"));
#endif
  EXPECT_EQ(settings->Integer("stream.buffer_chunks"), 64);
}

TEST(Declarations, TheNearestNameIsFound) {
  EXPECT_EQ(NearestSetting("generation.temprature"), "generation.temperature");
  EXPECT_EQ(NearestSetting("idle_unload"), "memory.idle_unload");
  EXPECT_EQ(NearestSetting("generation.kv_bits"), "memory.kv_bits");
  EXPECT_EQ(NearestSetting("memory.flor"), "memory.floor");
  EXPECT_EQ(NearestSetting("zzzzzzzz"), "");
  EXPECT_EQ(NearestSetting(std::string(100'000, 'a')), "");
}

TEST_F(SettingsTest, TheStrongerOriginWins) {
  System("[generation]\ntemperature = 0.1\ntop_p = 0.2\n[memory]\nkv_bits = 8\nidle_unload = \"5m\"\n");
  User("[generation]\ntop_p = 0.3\n[memory]\nidle_unload = \"never\"\nfloor = 17000000000\n");
  environment_["GPTOSS_MEMORY_IDLE_UNLOAD"] = "1h";
  environment_["GPTOSS_MODEL"] = "/m";
  flags_ = {{"model.default", "/flag"}};
  const auto settings = Loaded();
  EXPECT_EQ(settings->Number("generation.temperature"), 0.1);
  EXPECT_EQ(settings->Number("generation.top_p"), 0.3);
  EXPECT_EQ(settings->Time("memory.idle_unload"), Duration{std::chrono::hours(1)});
  EXPECT_EQ(settings->Bytes("memory.floor"), 17'000'000'000u);
  EXPECT_EQ(settings->StringIfSet("model.default"), "/flag");
  EXPECT_EQ(EntryOf(settings, "memory.advised").origin, SettingOrigin::kDefault);
  EXPECT_EQ(EntryOf(settings, "memory.kv_bits").origin, SettingOrigin::kSystemFile);
  EXPECT_EQ(EntryOf(settings, "memory.kv_bits").where, (folder_ / "system.toml").string() + ":5");
  EXPECT_EQ(EntryOf(settings, "generation.top_p").origin, SettingOrigin::kUserFile);
  EXPECT_EQ(EntryOf(settings, "memory.idle_unload").origin, SettingOrigin::kEnvironment);
  EXPECT_EQ(EntryOf(settings, "memory.idle_unload").where, "GPTOSS_MEMORY_IDLE_UNLOAD");
  EXPECT_EQ(EntryOf(settings, "model.default").origin, SettingOrigin::kFlag);
  EXPECT_TRUE(settings->warnings().empty());
}

TEST_F(SettingsTest, AnEmptyVariableUnsetsOnlyWhatMayBeUnset) {
  User("[model]\ndefault = \"/m\"\n[generation]\ntemperature = 1\n");
  environment_["GPTOSS_MODEL"] = "";
  environment_["GPTOSS_GENERATION_TEMPERATURE"] = "";
  const auto settings = Loaded();
  EXPECT_EQ(settings->StringIfSet("model.default"), std::nullopt);
  EXPECT_EQ(settings->Number("generation.temperature"), 1.0);
}

TEST_F(SettingsTest, UnknownKeysAreWarnedAboutWithTheNearestName) {
  User("surprise = 1\n[memory]\nidle_unlod = \"5m\"\n[[table]]\na = 1\n");
  const auto settings = Loaded();
  ASSERT_EQ(settings->warnings().size(), 3u);
  EXPECT_EQ(settings->warnings()[1],
            (folder_ / "user.toml").string() +
                ":3: there is no setting 'memory.idle_unlod'; did you mean memory.idle_unload?");
}

TEST_F(SettingsTest, BadValuesAreRefusedWithTheRange) {
  struct Case {
    const char *toml, *message;
  };
  for (const Case& c : std::vector<Case>{
           {"generation.temperature = 101", "generation.temperature is 0 to 100; not 101"},
           {"generation.temperature = \"0.5\"", "not \"0.5\" (leave the quotes out)"},
           {"generation.temperature = nan", "not nan"},
           {"memory.kv_bits = 4", "memory.kv_bits is 8 or 16; not 4"},
           {"memory.kv_bits = 8.0", "memory.kv_bits is 8 or 16; not 8.0 (it takes a whole number)"},
           {"hub.max_connections = 1.5", "1 to 32; not 1.5 (it takes a whole number)"},
           {"memory.floor = 1.5", "1GB to 1TB; not 1.5 (a fraction wants a unit, in quotes: \"1.5GB\")"},
           {"memory.floor = \"1.5\"", "1GB to 1TB; not '1.5' (a fraction wants a unit: 1.5GB)"},
           {"memory.idle_unload = 1.5", "(it wants a unit, in quotes"},
           {"memory.idle_unload = \"600\"", "not '600' (it wants a unit: 10m)"},
           {"model.default = 5", "not 5 (text stands in quotes)"},
           {"memory.idle_unload = 600", "(it wants a unit, in quotes"},
           {"memory.idle_unload = \"soon\"", "memory.idle_unload is 1s to 365d, or never; not 'soon'"},
           {"hub.stall_timeout = \"never\"", "hub.stall_timeout is 1s to 1h; not"},
           {"memory.floor = -1", "memory.floor is 1GB to 1TB; not -1"},
           {"memory.floor = \"16 apples\"", "memory.floor is 1GB to 1TB"},
           {"memory.preload = \"yes\"", "memory.preload is true or false"},
           {"memory.preload = 1979-05-27", "not a date or time"},
           {"hub.cache_dir = \"relative/path\"", "a path that is absolute or begins with ~/, or none; not"},
           {"hub.cache_dir = \"~bob/x\"", "a path that is absolute or begins with ~/, or none; not '~bob/x'"},
           {"hub.endpoint = \"file:///etc\"", "https://"},
           {"model.default = \"a\\nb\"", "a text of one line"},
           {"model.default = [\"a\"]", "not an array"},
           {"generation.reasoning_effort = \"huge\"", "low, medium or high; not"},
           {"generation.max_tokens = 0", "1 or more, or none; not 0"},
       }) {
    User(c.toml);
    const Error error = Refused();
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << c.toml;
    EXPECT_TRUE(error.message.starts_with((folder_ / "user.toml").string() + ":1: ")) << error.message;
    EXPECT_NE(error.message.find(c.message), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
    // Who only looks finds the bad one marked, and all others as they are.
    const auto tolerant = Settings::LoadTolerant(Input());
    for (std::size_t i = 0; i < kSettingCount; ++i) {
      const Settings::Entry& entry = tolerant->entry(i);
      const bool bad = std::string_view(c.toml).starts_with(std::string(kDeclarations[i].name) + " ");
      EXPECT_EQ(entry.origin, bad ? SettingOrigin::kUserFile : SettingOrigin::kDefault) << c.toml;
      EXPECT_EQ(entry.problem.empty(), !bad) << c.toml;
      EXPECT_TRUE(!bad || entry.where == (folder_ / "user.toml").string() + ":1") << entry.where;
    }
  }
}

TEST_F(SettingsTest, AStrongerValueGoesBeforeABadOneForWhoLooks) {
  User("[memory]\nkv_bits = 9\n");
  environment_["GPTOSS_MEMORY_KV_BITS"] = "8";
  const auto tolerant = Settings::LoadTolerant(Input());
  EXPECT_EQ(EntryOf(tolerant, "memory.kv_bits").problem, "");
  EXPECT_EQ(tolerant->Integer("memory.kv_bits"), 8);
  ASSERT_EQ(tolerant->problems().size(), 1u);
  EXPECT_EQ(tolerant->problems()[0].setting, FindSetting("memory.kv_bits"));
  EXPECT_FALSE(Settings::Load(Input()));  // who acts still wants the file corrected
}

TEST_F(SettingsTest, WhatIsNoFileIsToldWithARemedy) {
  std::filesystem::create_directory(folder_ / "user.toml");
  EXPECT_EQ(Refused().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refused().message,
            (folder_ / "user.toml").string() +
                " is not a regular file; move it away, or put a file of TOML in its place");
  std::filesystem::remove(folder_ / "user.toml");
  User(std::string(3 << 20, '#'));
  EXPECT_NE(Refused().message.find("move it away"), std::string::npos) << Refused().message;
}

TEST_F(SettingsTest, ABadVariableOrFlagIsBadUse) {
  environment_["GPTOSS_MEMORY_KV_BITS"] = "12";
  EXPECT_EQ(Refused().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refused().message, "GPTOSS_MEMORY_KV_BITS: memory.kv_bits is 8 or 16; not '12'");
  environment_.clear();
  flags_ = {{"memory.kv_bit", "8"}};
  EXPECT_EQ(Refused().message, "there is no setting 'memory.kv_bit'; did you mean memory.kv_bits?");
  flags_ = {{"memory.kv_bits", "8x"}};
  EXPECT_EQ(Refused().code, ErrorCode::kInvalidArgument);
}

TEST_F(SettingsTest, ABrokenFileNamesTheLineAndTolerantLoadingKeepsTheRest) {
  System("[generation]\ntemperature = 0.1\n");
  User("[memory]\nkv_bits = 8\nfloor = = 3\n");
  const Error error = Refused();
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(error.message.starts_with((folder_ / "user.toml").string() + ":3: ")) << error.message;
  EXPECT_NE(error.message.find("correct this line"), std::string::npos) << error.message;
  const auto tolerant = Settings::LoadTolerant(Input());
  EXPECT_EQ(tolerant->problems().size(), 1u);
  EXPECT_EQ(tolerant->Number("generation.temperature"), 0.1);
  EXPECT_EQ(tolerant->Integer("memory.kv_bits"), 16);
}

TEST_F(SettingsTest, ASectionThatIsNoTableBreaksTheFile) {
  for (const char* text :
       {"[[memory]]\nkv_bits = 8\n", "memory = 3\n", "memory = []\n", "\"memory\" = \"x\"\n"}) {
    User(std::string("# first\n") + text);
    const Error error = Refused();
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(error.message.starts_with((folder_ / "user.toml").string() + ":2: memory is a section"))
        << error.message;
    const auto settings = Settings::LoadTolerant(Input());
    EXPECT_EQ(settings->Integer("memory.kv_bits"), 16);
    ASSERT_EQ(settings->problems().size(), 1U);
    EXPECT_FALSE(settings->problems().front().setting);
  }
  User("memory = {kv_bits = 8}\n");
  EXPECT_EQ(Loaded()->Integer("memory.kv_bits"), 8);
}

TEST_F(SettingsTest, MisspeltVariablesAreWarnedAboutWithTheNearestName) {
  SettingsInput input = Input();
  input.variables = {"GPTOSS_MEMORY_KVBITS", "GPTOSS_MODEL_DEFAULT",  "GPTOSS_HUB_XYZXYZXYZXYZXYZXYZXYZ",
                     "GPTOSS_MODEL",         "GPTOSS_MEMORY_KV_BITS", "GPTOSS_STATE_DIR",
                     "GPTOSS_STARTED_AS",    "GPTOSS_HUB_PART_BYTES", "GPTOSS_NODE"};
  const std::vector<std::string> expected = {
      "GPTOSS_MEMORY_KVBITS: no setting has this variable; did you mean GPTOSS_MEMORY_KV_BITS?",
      "GPTOSS_MODEL_DEFAULT: no setting has this variable; did you mean GPTOSS_MODEL?",
      "GPTOSS_HUB_XYZXYZXYZXYZXYZXYZXYZ: no setting has this variable; see 'gptoss config list'"};
  EXPECT_EQ(Settings::LoadTolerant(input)->warnings(), expected);
}

TEST_F(SettingsTest, NoBytesInAFileDoHarm) {
  const std::string deep(100'000, '[');
  std::string dots = "a";
  for (int i = 0; i < 100'000; ++i) dots += ".a";
  for (const std::string& text :
       {deep, dots + " = 1", "x = " + deep, std::string("\xff\xfe\0\0", 4), std::string(3 << 20, 'a'),
        std::string("[memory]\nfloor = \"16GB"), std::string("[memory]\n[memory]\n"),
        std::string("\xEF\xBB\xB6"), std::string("a = \xEF\xBB\xB6 1"),
        std::string("a = \"\"\"\\\n \xEF\xBB\xB6\"\"\""), std::string("a = '''x''''' \xEF\xBB\xB6")}) {
    User(text);
    EXPECT_FALSE(Settings::Load(Input())) << text.substr(0, 20);
  }
  User("\xEF\xBB\xBF[memory]\r\nkv_bits = 8\r\n");  // as Windows' editors leave it
  EXPECT_EQ(Loaded()->Integer("memory.kv_bits"), 8);
  User("# é\n[model] # \"\ndefault = \"/é\\\"é\" # 'é\n[memory]\nkv_bits = 8\n'é' = '''é\né'''''\n");
  EXPECT_EQ(Loaded()->Integer("memory.kv_bits"), 8);
  EXPECT_EQ(Loaded()->StringIfSet("model.default"), "/é\"é");
  std::filesystem::remove(folder_ / "user.toml");
  std::filesystem::create_directory(folder_ / "user.toml");
  EXPECT_FALSE(Settings::Load(Input()));
}

TEST_F(SettingsTest, PathsKnowTheHomeAndAreNeverRelative) {
  ASSERT_NE(std::getenv("HOME"), nullptr);
  User("[hub]\ncache_dir = \"~/models\"\n");
  EXPECT_EQ(Loaded()->PathIfSet("hub.cache_dir"), *HomeDirectory() / "models");
  for (const char* relative : {"here", "./here", "~", "~bob/x"}) {
    const std::string refusal = fmt::format(
        "hub.cache_dir is a path that is absolute or begins with ~/, or none; not '{}'", relative);
    environment_["GPTOSS_HUB_CACHE_DIR"] = relative;
    EXPECT_EQ(Refused().message, "GPTOSS_HUB_CACHE_DIR: " + refusal);
    environment_.clear();
    flags_ = {{"hub.cache_dir", relative}};
    EXPECT_EQ(Refused().message, "--set: " + refusal);
    flags_.clear();
  }
}

// What is formatted is read as the same, in both notations.
TEST_F(SettingsTest, ValuesSurviveTheWayOutAndBack) {
  std::mt19937_64 random(1);
  for (const Declaration& d : kDeclarations) {
    for (int i = 0; i < 8; ++i) {
      std::string text(d.fallback);
      if (d.type == SettingType::kInteger && d.choices.empty()) text = std::to_string(random() % 200 + 1);
      if (d.type == SettingType::kNumber)
        text = fmt::format("{}", static_cast<double>(random() >> 11) * 0x1p-53);
      if (d.type == SettingType::kBytes) text = std::to_string(2'000'000 + random() % 900'000'000);
      if (d.type == SettingType::kString && d.name != "hub.endpoint") text = "a\"\\'# é\U0001F600";
      const auto value = ParseSetting(d, text);
      if (!value) continue;  // outside this setting's range
      EXPECT_EQ(ParseSetting(d, FormatSetting(*value)), *value) << d.name << " " << text;
      if (std::holds_alternative<Unset>(*value)) continue;
      User(fmt::format("{} = {}\n", d.name, FormatToml(*value)));
      EXPECT_EQ(EntryOf(Loaded(), d.name).value, *value) << d.name << " " << FormatToml(*value);
    }
  }
}

// docs/settings.md has the table that this makes.
TEST(Docs, ListEverySettingAsItIsDeclared) {
  std::string table, section;
  const auto cell = [](std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
    return out;
  };
  for (const Declaration& d : kDeclarations) {
    const std::string_view name = d.name;
    if (const auto its = name.substr(0, name.find('.')); its != section) {
      section = its;
      table += fmt::format(
          "\n### {}\n| setting | type | default | range | variable, flag | what "
          "|\n|---|---|---|---|---|---|\n",
          section);
    }
    table +=
        fmt::format("| `{}` | {} | {} | {}{} | `{}`{} | {} |\n", name, SettingTypeName(d.type),
                    d.fallback.empty() ? "none" : fmt::format("`{}`", d.fallback), cell(DescribeRange(d)),
                    d.unit.empty() ? "" : fmt::format(" ({})", d.unit), EnvironmentName(d),
                    d.flag.empty() ? "" : fmt::format(", `{}`", d.flag), cell(d.help));
  }
  const std::filesystem::path page = std::filesystem::path(GPTOSS_SOURCE_DIR) / "docs/settings.md";
  const auto text = ReadFile(page);
  ASSERT_TRUE(text) << text.error().message;
  constexpr std::string_view kBegin = "--gtest_filter='Docs*' -->\n", kEnd = "<!-- end -->\n";
  const std::size_t begin = text->find(kBegin) + kBegin.size(), end = text->find(kEnd);
  ASSERT_TRUE(end != std::string::npos && begin <= end);
  const std::string whole = text->substr(0, begin) + table + "\n" + text->substr(end);
  if (std::getenv("GPTOSS_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(WriteFileAtomic(page, whole));
  }
  EXPECT_EQ(*ReadFile(page), whole) << "see the comment above the tables of docs/settings.md";
}

TEST(Paths, FollowXdgAndTheOverrides) {
#if !defined(__APPLE__)
  const char* home = std::getenv("HOME");
  const std::string old_home = home != nullptr ? home : "";
  ::setenv("HOME", "/h", 1);
  for (const char* name : {"GPTOSS_CONFIG", "GPTOSS_STATE_DIR", "GPTOSS_DATA_DIR", "GPTOSS_CACHE_DIR",
                           "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"})
    ::unsetenv(name);
  EXPECT_EQ(*ConfigFile(), "/h/.config/gptoss/config.toml");
  EXPECT_EQ(*UserPolicyFile(), "/h/.config/gptoss/policy.toml");
  EXPECT_EQ(*StateDirectory(), "/h/.local/state/gptoss");
  EXPECT_EQ(*DataDirectory(), "/h/.local/share/gptoss");
  EXPECT_EQ(*CacheDirectory(), "/h/.cache/gptoss");
  ::setenv("XDG_CONFIG_HOME", "/x", 1);
  ::setenv("XDG_STATE_HOME", "relative", 1);
  EXPECT_EQ(*ConfigFile(), "/x/gptoss/config.toml");
  EXPECT_EQ(*StateDirectory(), "/h/.local/state/gptoss");
  ::setenv("GPTOSS_CONFIG", "/o/my.toml", 1);
  ::setenv("GPTOSS_STATE_DIR", "/o/state", 1);
  EXPECT_EQ(*ConfigFile(), "/o/my.toml");
  EXPECT_EQ(*ConfigDirectory(), "/o");
  EXPECT_EQ(*StateDirectory(), "/o/state");
  for (const char* name : {"GPTOSS_CONFIG", "GPTOSS_STATE_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"})
    ::unsetenv(name);
  ::unsetenv("HOME");
  EXPECT_TRUE(HomeDirectory());  // the user database
  if (home != nullptr) ::setenv("HOME", old_home.c_str(), 1);
#else
  EXPECT_TRUE(ConfigFile()->string().find("Library/Application Support/gptoss") != std::string::npos);
#endif
}

}  // namespace
}  // namespace gptoss
