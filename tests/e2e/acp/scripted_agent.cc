// `gptoss acp` with a model that does what the prompt says (src/provider/testing/prompted_model.h), and two
// modes beside it: "echo", and "broken", which cannot run. For tests only; it is not installed.
#include <signal.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "agents/testing/scripted_pool.h"
#include "cli/acp_command.h"
#include "cli/settings_option.h"

namespace gptoss::agents {
namespace {

class EchoSession final : public AgentSession {
 public:
  explicit EchoSession(std::string unavailable) : unavailable_(std::move(unavailable)) {}
  TurnOutcome Prompt(const Turn& turn, TurnSink& sink) override {
    std::string text = "echo: ";
    for (const acp::ContentBlock& block : turn.prompt) text += block.text;
    if (!unavailable_.empty()) text = unavailable_;
    sink.Emit(acp::MessageChunk{.message_id = "echo", .text = text});
    return {};
  }
  std::string MakeTitle(const CancelToken&) override { return ""; }

 private:
  const std::string unavailable_;
};

class EchoAgent final : public Agent {
 public:
  EchoAgent(std::string id, std::string unavailable)
      : id_(std::move(id)), unavailable_(std::move(unavailable)) {}
  acp::Mode mode() const override { return {.id = id_, .name = id_, .description = "Says it again"}; }
  std::string Unavailable() const override { return unavailable_; }
  std::vector<acp::Command> commands() const override { return {}; }
  Result<std::unique_ptr<AgentSession>> Open(SessionContext) override {
    return std::make_unique<EchoSession>(unavailable_);
  }

 private:
  const std::string id_, unavailable_;
};

}  // namespace
}  // namespace gptoss::agents

int main() {
  ::signal(SIGPIPE, SIG_IGN);
  const auto settings = gptoss::cli::LoadSettings(true);
  if (!settings) {
    std::fprintf(stderr, "%s\n", settings.error().message.c_str());
    return 2;
  }
  const gptoss::cli::AgentModels models{.pool = gptoss::agents::testing::MakeScriptedPool(),
                                        .selected = "scripted"};
  const auto exit_code =
      gptoss::cli::ServeAcp(models, *settings, [](gptoss::agents::AgentRegistry& registry) {
        registry.Add(std::make_unique<gptoss::agents::EchoAgent>("echo", ""));
        registry.Add(
            std::make_unique<gptoss::agents::EchoAgent>("broken", "it is a test; choose another mode"));
      });
  if (!exit_code) std::fprintf(stderr, "%s\n", exit_code.error().message.c_str());
  return exit_code.value_or(1);
}
