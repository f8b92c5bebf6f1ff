#include "settings/policy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"

namespace gptoss {
namespace {

class PolicyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "gptoss-policy-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Policy> Load(std::string_view system, std::string_view user) {
    for (const auto& [path, text] : {std::pair(system_(), system), std::pair(user_(), user)}) {
      std::filesystem::remove(path);
      EXPECT_TRUE(text.empty() || WriteFileAtomic(path, text));
    }
    return Policy::Load(system_(), user_());
  }
  std::filesystem::path system_() const { return folder_ / "system.toml"; }
  std::filesystem::path user_() const { return folder_ / "user.toml"; }

  std::filesystem::path folder_;
};

TEST_F(PolicyTest, ALinkToNowhereAllowsNothing) {
  std::filesystem::create_symlink("/nonexistent", user_());
  const auto policy = Policy::Load(system_(), user_());
  ASSERT_FALSE(policy);
  EXPECT_NE(policy.error().message.find("allows nothing"), std::string::npos) << policy.error().message;
}

TEST(Glob, StarsAndQuestionMarks) {
  EXPECT_TRUE(MatchesGlob("openai/gpt-oss-20b", "openai/gpt-oss-20b"));
  EXPECT_TRUE(MatchesGlob("openai/*", "openai/gpt-oss-20b"));
  EXPECT_TRUE(MatchesGlob("*", ""));
  EXPECT_TRUE(MatchesGlob("*20?", "x/gpt-oss-20b"));
  EXPECT_TRUE(MatchesGlob("a*b*c", "aXXbYYbZc"));
  EXPECT_FALSE(MatchesGlob("openai/*", "evil/openai/x"));
  EXPECT_FALSE(MatchesGlob("", "a"));
  EXPECT_FALSE(MatchesGlob("?", ""));
  EXPECT_FALSE(MatchesGlob("OpenAI/*", "openai/x"));
  // A pattern that an exponential matcher would never finish.
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(MatchesGlob(pattern + "b", std::string(5000, 'a')));
}

TEST_F(PolicyTest, WithoutFilesEverythingIsAllowedAfterTheLicence) {
  const auto policy = Load("", "");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_TRUE(policy->CheckPlatform());
  EXPECT_TRUE(policy->CheckModel("any/model"));
  EXPECT_TRUE(policy->CheckNetworkInstall());
  EXPECT_TRUE(policy->acknowledgement_required());
  EXPECT_TRUE(policy->CheckLicence(true, "m", "apache-2.0"));
  const auto refused = policy->CheckLicence(false, "m", "apache-2.0");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(refused.error().message.find("licence.acknowledgement_required"), std::string::npos);
}

TEST_F(PolicyTest, ARefusalNamesTheRuleAndTheFile) {
  const auto policy = Load("[platforms]\nallowed = [\"plan9-*\"]\n[models]\nallowed = [\"openai/*\"]\n",
                           "[models]\nallowed = [\"*/gpt-oss-20b\"]\n[network]\ninstall = false\n");
  ASSERT_TRUE(policy) << policy.error().message;
  const auto refuses = [](const Status& status, std::string_view rule, const std::filesystem::path& file) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kPermissionDenied);
    EXPECT_NE(status.error().message.find(rule), std::string::npos) << status.error().message;
    EXPECT_NE(status.error().message.find(file.string()), std::string::npos) << status.error().message;
  };
  refuses(policy->CheckPlatform("linux-x86_64"), "platforms.allowed", system_());
  EXPECT_TRUE(policy->CheckPlatform("plan9-arm64"));
  refuses(policy->CheckModel("other/gpt-oss-20b"), "models.allowed", system_());
  refuses(policy->CheckModel("openai/gpt-oss-120b"), "models.allowed", user_());
  EXPECT_TRUE(policy->CheckModel("openai/gpt-oss-20b"));
  refuses(policy->CheckNetworkInstall(), "network.install", user_());
  EXPECT_EQ(policy->files().size(), 2u);
}

TEST_F(PolicyTest, TheUserCanOnlyTighten) {
  constexpr std::string_view kNo = "[licence]\nacknowledgement_required = false\n";
  constexpr std::string_view kYes = "[licence]\nacknowledgement_required = true\n";
  EXPECT_TRUE(Load("", kNo)->acknowledgement_required());
  EXPECT_EQ(Load("", kNo)->warnings().size(), 1u);
  EXPECT_TRUE(Load(kYes, kNo)->acknowledgement_required());
  EXPECT_FALSE(Load(kNo, "")->acknowledgement_required());
  EXPECT_FALSE(Load(kNo, kNo)->acknowledgement_required());
  EXPECT_TRUE(Load(kNo, kNo)->warnings().empty());
  EXPECT_TRUE(Load(kNo, kYes)->acknowledgement_required());
  EXPECT_FALSE(Load("[network]\ninstall = false\n", "[network]\ninstall = true\n")->CheckNetworkInstall());
  EXPECT_FALSE(Load("[models]\nallowed = []\n", "[models]\nallowed = [\"*\"]\n")->CheckModel("a/b"));
}

TEST_F(PolicyTest, FailsClosed) {
  for (const char* bad :
       {"[network]\ninstal = false\n", "[network]\ninstall = \"false\"\n", "[models]\nallowed = \"x\"\n",
        "[models]\nallowed = [1]\n", "[models\n", "[licence]\nacknowledgement_required = 0\n", "[modles]\n",
        "[network]\ninstall = false\n[license]\n", "modles = {}\n", "[models.allowed]\n", "[[models]]\n"}) {
    const auto policy = Load(bad, "");
    ASSERT_FALSE(policy) << bad;
    EXPECT_EQ(policy.error().code, ErrorCode::kInvalidArgument) << bad;
    EXPECT_NE(policy.error().message.find(system_().string() + ":"), std::string::npos)
        << policy.error().message;
    EXPECT_FALSE(Load("", bad)) << bad;
  }
  EXPECT_NE(Load("[network]\ninstal = false\n", "").error().message.find("network.install"),
            std::string::npos);
  EXPECT_EQ(Load("[modles]\n", "").error().message,
            system_().string() +
                ":1: there is no section 'modles'; did you mean models?; a policy with what is "
                "not understood allows nothing");
  EXPECT_TRUE(Load("[models]\n", "[licence]\n[network]\n[platforms]\n"));  // known ones may be empty
  std::filesystem::remove(user_());
  std::filesystem::create_directory(user_());
  EXPECT_FALSE(Policy::Load("", user_()));
}

}  // namespace
}  // namespace gptoss
