// `gptoss acp` with a model that does what the prompt says (src/provider/testing/prompted_model.h). For tests
// only; it is not installed.
#include <signal.h>

#include <cstdio>

#include "agents/testing/scripted_pool.h"
#include "cli/acp_command.h"
#include "cli/settings_option.h"

int main() {
  ::signal(SIGPIPE, SIG_IGN);
  const auto settings = gptoss::cli::LoadSettings(true);
  if (!settings) {
    std::fprintf(stderr, "%s\n", settings.error().message.c_str());
    return 2;
  }
  const gptoss::cli::AgentModels models{.pool = gptoss::agents::testing::MakeScriptedPool(),
                                        .selected = "scripted"};
  const auto exit_code = gptoss::cli::ServeAcp(models, *settings);
  if (!exit_code) std::fprintf(stderr, "%s\n", exit_code.error().message.c_str());
  return exit_code.value_or(1);
}
