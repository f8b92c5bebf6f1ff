// Prompts whose links lead where nothing is to be read. Each ends in a sentence, and soon.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "agents/gptoss_20b/prompt_text.h"
#include "agents/testing/recording_sink.h"
#include "base/testing/temporary_folder.h"
#include "base/utf8.h"

namespace gptoss::agents {
namespace {

namespace fs = std::filesystem;
using testing::RecordingSink;
using Type = acp::ContentBlock::Type;

struct Attack {
  std::string uri;
  std::string_view said;  // in what the model reads
};

class HostileLinksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ / "dir");
    std::ofstream(root_ / "good.txt") << "good text";
    std::ofstream(outside_ / "secret.txt") << "the secret";
    fs::create_symlink(outside_ / "secret.txt", root_ / "link.txt");
    fs::create_symlink(outside_, root_ / "door");
    fs::create_symlink("loop", root_ / "loop");
    ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
    std::ofstream(root_ / "nul.bin") << std::string("a\0b", 3);
    std::ofstream(root_ / "sparse.bin");
    fs::resize_file(root_ / "sparse.bin", 5ULL << 30);
    std::ofstream(root_ / "closed.txt") << "x";
  }
  static std::string Uri(const fs::path& path) { return "file://" + path.string(); }
  std::vector<Attack> Attacks() const {
    const std::string root = root_.string();
    return {
        {"file://evil.example/etc/passwd", "another machine, evil.example"},
        {"file://..%2f..%2fetc/passwd", "another machine"},
        {Uri(root_) + "/%2e%2e/" + outside_.filename().string() + "/secret.txt", "outside the folders"},
        {Uri(root_) + "/..%2f" + outside_.filename().string() + "%2Fsecret.txt", "outside the folders"},
        {Uri(root_) + "/good.txt%00.png", "NUL in its path"},
        {Uri(root_ / "link.txt"), "outside the folders"},
        {Uri(root_ / "door/secret.txt"), "outside the folders"},
        {Uri(root_ / "loop"), "was not read"},
        {Uri(root_ / "fifo"), "not a file"},
        {Uri(root_ / "dir"), "a folder"},
        {Uri(root_), "a folder"},
        {Uri(root_ / "good.txt/deeper"), "was not read"},
        {Uri(root_ / "none.txt"), "No such file"},
        {Uri(root_ / "nul.bin"), "binary file"},
        {Uri(root_ / "sparse.bin"), "bytes, more than the"},
        {Uri(root_ / "%FF%FE.txt"), "No such file"},
        {Uri(root_) + "/" + std::string(300, 'n'), "name too long"},
        {Uri(root_) + "/" + std::string(2'000'000, 'n'), "too long"},
        {"file:///dev/zero", "outside the folders"},
        {"file:///proc/self/mem", "outside the folders"},
        {"file:good.txt", "does not begin at the root"},
        {"file:", "does not begin at the root"},
        {"good.txt", "only links to files"},
        {"../good.txt", "only links to files"},
        {"https://evil.example/" + std::string(1'000'000, 'u'), "only links to files"},
        {"javascript:alert(1)", "only links to files"},
        {"data:text/plain;base64,QQ==", "only links to files"},
        {"zed:///agent/x", "only links to files"},
        {std::string("\0\xff", 2), "only links to files"},
        {"", "only links to files"},
    };
  }
  std::string Read(const std::vector<acp::ContentBlock>& prompt, RecordingSink& sink, const fs::path& root) {
    const auto text = PromptText(prompt, Workspace(root, {}), sink);
    EXPECT_TRUE(text.has_value()) << text.error().message;
    return text.value_or("");
  }
  void ExpectRefused(const Attack& attack, RecordingSink& sink, const fs::path& root) {
    SCOPED_TRACE(attack.uri.substr(0, 200));
    const std::string text =
        Read({{.text = "look: "}, {.type = Type::kResourceLink, .uri = attack.uri, .name = "n"}}, sink, root);
    EXPECT_NE(text.find("was not read: "), std::string::npos) << text.substr(0, 2000);
    EXPECT_NE(text.find(attack.said), std::string::npos) << text.substr(0, 2000);
    EXPECT_EQ(text.find("the secret"), std::string::npos);
    EXPECT_LT(text.size(), 10'000U);
    EXPECT_TRUE(IsValidUtf8(text));
  }
  TemporaryFolder root_folder_, outside_folder_;
  const fs::path root_ = root_folder_.path(), outside_ = outside_folder_.path();
};

TEST_F(HostileLinksTest, FromTheDisk) {
  RecordingSink sink;
  for (const Attack& attack : Attacks()) ExpectRefused(attack, sink, root_);
}

// It announced files, and gives whatever it is asked for: it is asked for nothing of these.
TEST_F(HostileLinksTest, ThroughAClientThatGivesEverything) {
  RecordingSink sink;
  sink.traits.read_files = true;
  sink.give_all = "the secret";
  for (const Attack& attack : Attacks()) {
    const bool new_file = attack.said == "No such file" || attack.said == "was not read";
    if (!new_file) ExpectRefused(attack, sink, root_);
  }
  EXPECT_TRUE(sink.client_reads.empty());
  Read({{.type = Type::kResourceLink, .uri = Uri(root_ / "dir/../none.txt"), .name = "n"}}, sink, root_);
  EXPECT_EQ(sink.client_reads, std::vector<std::string>{(root_ / "none.txt").string()});  // as it is resolved
  sink.client_reads.clear();
  Read({{.type = Type::kResourceLink, .uri = Uri(root_) + "/%FF.txt", .name = "n"}}, sink, root_);
  EXPECT_TRUE(sink.client_reads.empty());  // JSON would change the name
}

// Even where everything is inside: devices and the system's own files are no texts.
TEST_F(HostileLinksTest, WhereTheRootIsTheWholeDisk) {
  RecordingSink sink;
  for (const char* device : {"/dev/zero", "/dev/null", "/dev/tty", "/dev/random"})
    ExpectRefused({std::string("file://") + device, "not a file"}, sink, "/");
  if (fs::exists("/proc/self/mem")) {
    ExpectRefused({"file:///proc/self/mem", "was not read"}, sink, "/");
    ExpectRefused({"file:///proc/self/pagemap", "was not read"}, sink, "/");
  }
}

TEST_F(HostileLinksTest, AFolderThatHasGone) {
  const fs::path gone = root_ / "was-here";
  fs::create_directories(gone);
  std::ofstream(gone / "f.txt") << "f";
  const Workspace workspace(gone, {});
  fs::remove_all(gone);
  RecordingSink sink;
  const auto text =
      PromptText({{.type = Type::kResourceLink, .uri = Uri(gone / "f.txt"), .name = "f"}}, workspace, sink);
  EXPECT_NE(text.value().find("No such file"), std::string::npos);
}

TEST_F(HostileLinksTest, AGoodOneIsReadAndTooMuchIsSaid) {
  RecordingSink sink;
  const acp::ContentBlock good{
      .type = Type::kResourceLink, .uri = Uri(root_ / "good.txt"), .name = "good.txt"};
  EXPECT_NE(Read({good}, sink, root_).find("good text"), std::string::npos);
  const std::string many = Read(std::vector<acp::ContentBlock>(5000, good), sink, root_);
  EXPECT_NE(many.find("4900 more attachments were left out"), std::string::npos);
  std::ofstream(root_ / "big.txt") << std::string(1 << 20, 'b');
  const acp::ContentBlock big{.type = Type::kResourceLink, .uri = Uri(root_ / "big.txt"), .name = "b"};
  const std::string large = Read(std::vector<acp::ContentBlock>(50, big), sink, root_);
  EXPECT_LT(large.size(), 600U << 10);
  EXPECT_NE(large.find("more attachments were left out"), std::string::npos);
  const acp::ContentBlock embedded{.type = Type::kResource, .text = std::string(1 << 20, 'e'), .uri = "x:y"};
  EXPECT_LT(Read(std::vector<acp::ContentBlock>(50, embedded), sink, root_).size(), 600U << 10);
}

TEST_F(HostileLinksTest, ACancelEndsTheReading) {
  RecordingSink sink;
  sink.traits.read_files = true;
  sink.cancelled = true;
  const auto text = PromptText({{.type = Type::kResourceLink, .uri = Uri(root_ / "good.txt"), .name = "n"}},
                               Workspace(root_, {}), sink);
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace gptoss::agents
