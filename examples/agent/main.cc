// Asks a model one question and prints the answer as it comes.
//
//   agent [MODEL] QUESTION      MODEL: a folder, a .gguf file, or an installed model's name; default: the
//   demo
#include <gptoss/provider/agent_provider.h>

#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace {

int Complain(const gptoss::Error& error) {
  std::fprintf(stderr, "agent: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: agent [MODEL] QUESTION\n");
    return 2;
  }
  gptoss::ProviderOptions options;
  options.model = argc == 3 ? argv[1] : "";
  if (options.model.empty()) options.temperature = 0;  // so small a model gains nothing from chance
  auto created = gptoss::GptOssAgentProvider::Create(std::move(options), nullptr);
  if (!created) return Complain(created.error());
  gptoss::GptOssAgentProvider& provider = **created;

  // Every change is told: downloading, loading with a fraction, ready, unloaded …
  provider.Observe([](const gptoss::Availability& now) {
    std::fprintf(stderr, "model: %s %3.0f %%\n", std::string(gptoss::ModelStateName(now.state)).c_str(),
                 100 * now.fraction);
  });

  const auto session = provider.StartSession({.instructions = "Answer in one sentence."});
  if (!session) return Complain(session.error());
  const auto ended = std::make_shared<std::promise<gptoss::StreamDone>>();  // on_done may outlive main's wait
  const auto started = provider.Stream(
      *session, argv[argc - 1], {.max_tokens = 400},
      [](const gptoss::StreamChunk& chunk) {
        // Reasoning comes on a channel of its own and is not for the reader of the answer.
        if (chunk.channel != gptoss::StreamChunk::Channel::kFinal) return;
        std::fputs(chunk.text.c_str(), stdout);
        std::fflush(stdout);
      },
      [ended](const gptoss::StreamDone& done) { ended->set_value(done); });
  if (!started) return Complain(started.error());

  const gptoss::StreamDone done = ended->get_future().get();
  std::puts("");
  if (!done.explanation.empty()) std::fprintf(stderr, "agent: %s\n", done.explanation.c_str());
  std::fprintf(stderr, "%lld tokens, %.1f tokens/s, ended by %s\n",
               static_cast<long long>(done.usage.generated_tokens), done.usage.tokens_per_second,
               done.stop_reason.c_str());
  return done.answer.empty() ? 1 : 0;
}
