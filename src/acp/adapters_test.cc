// Our client and the adapters of others, as npm has them: a handshake and an end in order, without network.
// Left out, and said, where tools/fetch_test_data.sh has not fetched them.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "acp/client.h"
#include "base/testing/temporary_folder.h"

namespace gptoss::acp {
namespace {

namespace fs = std::filesystem;

class Adapters : public ::testing::TestWithParam<const char*> {};

TEST_P(Adapters, InitializeAndEnd) {
  const char* folder = std::getenv("ACP_ADAPTERS");
  const fs::path script = fs::path(folder == nullptr ? "" : folder) / "node_modules/@agentclientprotocol" /
                          GetParam() / "dist/index.js";
  if (folder == nullptr || !fs::exists(script)) GTEST_SKIP() << "not fetched: " << script;
  const TemporaryFolder temporary;
  const std::string home = temporary.path().string();
  // A proxy that is not there: whatever they would fetch, they cannot.
  ClientConfig config{.argv = {"node", script.string()},
                      .environment = {{"HOME", home},
                                      {"HTTP_PROXY", "http://127.0.0.1:9"},
                                      {"HTTPS_PROXY", "http://127.0.0.1:9"},
                                      {"https_proxy", "http://127.0.0.1:9"}},
                      .folder = home,
                      .version = "test"};
  const auto agent = Client::Start(config, {});
  ASSERT_TRUE(agent.has_value()) << agent.error().message;
  const Json& hello = (*agent)->initialize_result();
  EXPECT_EQ(hello["protocolVersion"], 1);
  EXPECT_TRUE(hello["agentCapabilities"].is_object());
  RecordProperty("agent", hello.value("agentInfo", Json()).dump());
  EXPECT_TRUE((*agent)->running());
  EXPECT_EQ((*agent)->Stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(Npm, Adapters, ::testing::Values("claude-agent-acp", "codex-acp"),
                         [](const auto& one) { return std::string(one.index == 0 ? "Claude" : "Codex"); });

}  // namespace
}  // namespace gptoss::acp
