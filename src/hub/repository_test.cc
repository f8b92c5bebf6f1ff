// References, names and patterns: what the network may say and what is refused.
#include "hub/repository.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "base/utf8.h"

namespace gptoss::hub {
namespace {

const std::string kCommit(40, 'a');

FileEntry File(std::string path, std::uint64_t size = 1) {
  return {.path = std::move(path), .size = size, .hash = {std::string(64, '1')}};
}
Listing ListingOf(std::vector<FileEntry> files) {
  return {.repository = "org/name", .commit = kCommit, .files = std::move(files)};
}
std::string Refusal(const Listing& listing, bool case_insensitive = false) {
  const Status status = ValidateListing(listing, case_insensitive);
  if (status) return "";
  EXPECT_EQ(status.error().code, ErrorCode::kDataLoss);
  EXPECT_NE(status.error().message.find("nothing was written"), std::string::npos);
  return status.error().message;
}
std::string RefusalOfName(const std::string& path) {
  return Refusal(ListingOf({File("ok.txt"), File(path)}));
}

TEST(ModelReference, EveryFormIsRead) {
  const auto plain = ParseModelReference("openai/gpt-oss-20b").value();
  EXPECT_EQ(plain.repository, "openai/gpt-oss-20b");
  EXPECT_EQ(plain.revision, "main");
  EXPECT_EQ(plain.pattern, "");
  const auto all = ParseModelReference("a/b@refs/pr/1:*Q4*.gguf").value();
  EXPECT_EQ(all.repository, "a/b");
  EXPECT_EQ(all.revision, "refs/pr/1");
  EXPECT_EQ(all.pattern, "*Q4*.gguf");
  EXPECT_EQ(ParseModelReference("a/b:x@y").value().pattern, "x@y");
  EXPECT_EQ(ParseModelReference("gpt2").value().repository, "gpt2");
  for (const char* text : {"openai/gpt-oss-20b", "a/b@v1", "a/b:x", "a/b@refs/pr/1:*Q4*.gguf", "gpt2"})
    EXPECT_EQ(ToString(ParseModelReference(text).value()), text);
}

TEST(ModelReference, BadOnesAreRefusedWithASentence) {
  for (const char* text :
       {"",         "/",           "a/",          "/b",       "a/b/c",    "../b",     "a/..",
        "a--b/c",   "a/b--c",      "-a/b",        "a/b-",     "a/.b",     "a b/c",    "a/b.git",
        "a/b@",     "a/b:",        "a/b@../../x", "a/b@/etc", "a/b@x\ny", "a/b:\x01", "a\\b",
        "a/b@a\\b", "https://x/y", "~/x",         "./x",      "a/\xff",   "a/b:\xff", "a/b@v//1"}) {
    const auto reference = ParseModelReference(text);
    ASSERT_FALSE(reference) << text;
    EXPECT_EQ(reference.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(reference.error().message.find("ORG/NAME"), std::string::npos);
    EXPECT_TRUE(IsValidUtf8(reference.error().message));
  }
  EXPECT_FALSE(ParseModelReference("a/" + std::string(200, 'x')));
}

TEST(ContentHash, OnlyLowerCaseHexOfTheTwoLengths) {
  EXPECT_TRUE(ParseContentHash(std::string(40, 'f')));
  EXPECT_TRUE(ParseContentHash(std::string(64, '0')).value().is_sha256());
  for (const std::string& bad :
       {std::string(), std::string(39, 'a'), std::string(41, 'a'), std::string(40, 'A'), std::string(40, 'g'),
        std::string(64, '/'), std::string("../../../../x")})
    EXPECT_FALSE(ParseContentHash(bad)) << bad;
  EXPECT_TRUE(IsCommit(kCommit));
  EXPECT_FALSE(IsCommit(kCommit + "\n"));
  EXPECT_FALSE(IsCommit(std::string(64, 'a')));
}

TEST(Listing, OrdinaryNamesPass) {
  EXPECT_EQ(Refusal(ListingOf({File("config.json"), File("a/b/c.bin"), File(".gitattributes"),
                               File("ä ö.txt"), File("日本語/名前.json"), File("a..b"), File("xy:z"),
                               File("..."), File("a/.b"), File(std::string(255, 'x'))})),
            "");
}

TEST(Listing, HostileNamesAreRefused) {
  for (const char* path : {"",
                           "/etc/passwd",
                           "../x",
                           "a/../b",
                           "a/..",
                           "./a",
                           "a/.",
                           "a//b",
                           "a/",
                           "a\\b",
                           "..\\x",
                           "C:/x",
                           "c:x",
                           "//host/share",
                           "a\nb",
                           "a\x7f",
                           "a\tb",
                           "\x1b[2J",
                           "a\xff",
                           "a\xc0\x80",
                           "a\xed\xa0\x80",
                           ".git/config",
                           "a/.GIT/hooks",
                           "x\u202Etxt.exe",
                           "\uFEFFx",
                           "a\u0085"})
    EXPECT_NE(RefusalOfName(path), "") << path;
  EXPECT_NE(RefusalOfName(std::string("a\0b", 3)), "");
  EXPECT_NE(RefusalOfName(std::string(256, 'x')), "");
  std::string deep;
  for (int i = 0; i < 400; ++i) deep += "ab/";
  EXPECT_NE(RefusalOfName(deep + "x"), "");
}

TEST(Listing, MessagesNameTheEntryWithoutItsPoison) {
  const std::string message = RefusalOfName("a\x1b[2Jb");
  EXPECT_NE(message.find("a\\u{1b}[2Jb"), std::string::npos) << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
}

TEST(Listing, NumbersAndStructureAreRefused) {
  EXPECT_NE(Refusal(ListingOf({})), "");
  EXPECT_NE(Refusal(ListingOf({File("a"), File("a")})), "");
  EXPECT_NE(Refusal(ListingOf({File("a"), File("a/b")})), "");
  EXPECT_NE(Refusal(ListingOf({File("a/b"), File("a")})), "");
  EXPECT_NE(Refusal(ListingOf({File("a", 5'000'000'000'000)})), "");
  Listing bad_hash = ListingOf({File("a")});
  bad_hash.files[0].hash.hex = "../../../../x";
  EXPECT_NE(Refusal(bad_hash), "");
  Listing bad_commit = ListingOf({File("a")});
  bad_commit.commit = "../../..";
  EXPECT_NE(Refusal(bad_commit), "");
  std::vector<FileEntry> many;
  for (int i = 0; i <= 100'000; ++i) many.push_back(File(fmt::format("f{}", i)));
  EXPECT_NE(Refusal(ListingOf(many)), "");
  many.pop_back();
  EXPECT_EQ(Refusal(ListingOf(many)), "");
}

TEST(Listing, CaseAndCompositionCollideWhereTheDiskSaysSo) {
  const std::pair<const char*, const char*> pairs[] = {{"README.md", "readme.MD"},
                                                       {"a/X", "A/x"},
                                                       {"Ä", "ä"},
                                                       {"Σ", "ς"},
                                                       {"Я", "я"},
                                                       {"\u00e9", "e\u0301"},
                                                       {"É", "e\u0301"},
                                                       {"ß", "SS"},
                                                       {"\uac00", "\u1100\u1161"},
                                                       {"A", "a/b"},
                                                       {"K", "\u212a"},
                                                       {"\u1e69", "s\u0307\u0323"}};
  for (const auto& [one, other] : pairs) {
    EXPECT_EQ(Refusal(ListingOf({File(one), File(other)}), false), "") << one << " " << other;
    EXPECT_NE(Refusal(ListingOf({File(one), File(other)}), true), "") << one << " " << other;
  }
  EXPECT_EQ(Refusal(ListingOf({File("A/x"), File("a/y"), File("ä"), File("o")}), true), "");
}

TEST(Listing, NoRandomNameThatPassesCanLeaveItsFolder) {
  std::mt19937 random(4);
  const std::string_view pieces[] = {"a",  "..", ".", "/",    "\\", "b",    "//",
                                     "\n", "C:", "é", "\xff", " ",  ".git", ""};
  int passed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string path;
    for (auto n = 1 + random() % 6; n > 0; --n) path += pieces[random() % std::size(pieces)];
    if (!ValidatePath(path)) continue;
    ++passed;
    const std::filesystem::path joined = std::filesystem::path("/root") / path;
    EXPECT_EQ(joined.lexically_normal(), joined) << path;
    EXPECT_TRUE(joined.string().starts_with("/root/")) << path;
  }
  EXPECT_GT(passed, 100);
}

TEST(CollisionKey, IsStableUnderItself) {
  std::mt19937 random(5);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (int n = 0; n < 4; ++n) {
      auto c = static_cast<char32_t>(random() % 0x3000);
      if (random() % 4 == 0) c = static_cast<char32_t>(0x300 + random() % 0x50);
      AppendUtf8(c, text);
    }
    const std::string key = CollisionKey(text);
    EXPECT_EQ(CollisionKey(key), key);
  }
}

TEST(Patterns, AsPythonsFnmatchcase) {
  const std::tuple<const char*, const char*, bool> cases[] = {{"original/model.bin", "original/*", true},
                                                              {"a/b/c", "a/*", true},
                                                              {"a/b/c", "*c", true},
                                                              {"model.safetensors", "*.safetensors", true},
                                                              {"x", "?", true},
                                                              {"é", "?", true},
                                                              {"abc", "a[bx]c", true},
                                                              {"abc", "a[!b]c", false},
                                                              {"a-c", "a[a-c-]c", true},
                                                              {"a]c", "a[]]c", true},
                                                              {"a[c", "a[c", true},
                                                              {"A", "a", false},
                                                              {"original/x/y", "original/", true},
                                                              {"original", "original/", false},
                                                              {"a/b", "a\\b", true},
                                                              {"", "*", true},
                                                              {"", "", true},
                                                              {"a", "", false},
                                                              {"aXbXc", "a*b*c", true},
                                                              {"ab", "a*b*c", false},
                                                              {"b", "[a-c]", true}};
  for (const auto& [path, pattern, matches] : cases)
    EXPECT_EQ(MatchesPattern(path, pattern), matches) << path << " " << pattern;
  const std::string path(2000, 'a');
  EXPECT_FALSE(MatchesPattern(path, "*a*a*a*a*a*a*a*a*a*a*a*b"));  // no explosion
}

TEST(Patterns, IncludeFirstThenExclude) {
  const std::vector<FileEntry> files = {File("config.json"), File("model.safetensors"),
                                        File("original/model.safetensors")};
  EXPECT_EQ(SelectFiles(files, {}, {}).size(), 3U);
  EXPECT_EQ(SelectFiles(files, {"*.safetensors"}, {"original/*"}).front().path, "model.safetensors");
  EXPECT_EQ(SelectFiles(files, {"*.safetensors"}, {"original/*"}).size(), 1U);
  EXPECT_TRUE(SelectFiles(files, {"*.gguf"}, {}).empty());
}

}  // namespace
}  // namespace gptoss::hub
