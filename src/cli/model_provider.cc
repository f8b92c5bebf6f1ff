#include "cli/model_provider.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "cli/settings_option.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "hub/catalog.h"
#include "provider/from_settings.h"
#include "provider/hub_source.h"
#include "settings/paths.h"

namespace gptoss::cli {
namespace {

// A model that is there sooner than this needs no progress.
constexpr std::chrono::milliseconds kSlowToLoad{300};
// The signal handler can ring no bell: so often its token is looked at.
constexpr std::chrono::milliseconds kLook{10};

Result<std::unique_ptr<ModelSource>> SourceOf(const SelectedModel& selected, const Settings& settings) {
  switch (selected.kind) {
    case SelectedModel::Kind::kDemo:
      return LocalModelSource("");
    case SelectedModel::Kind::kPath:
      return LocalModelSource(selected.path.string());
    case SelectedModel::Kind::kInstalled:
      break;
  }
  HubSourceOptions options;
  GPTOSS_TRY(options.hub, HubOptionsFrom(settings));
  GPTOSS_TRY(options.state_folder, StateDirectory());
  options.program_version = Version();
  if (const hub::CatalogEntry* entry = hub::FindInCatalog(selected.name))
    options.shown_licence = entry->license;
  return HubModelSource(selected.name, std::move(options));
}

// "loading gpt-oss-20b… 45 %" while a load takes its time.
class LoadProgress {
 public:
  LoadProgress(GptOssAgentProvider& provider, std::string name, bool shown)
      : provider_(provider), name_(std::move(name)) {
    if (!shown) return;
    observer_ = provider_.Observe([this](const Availability& now) { Show(now); });
  }
  ~LoadProgress() {
    if (!observer_) return;
    provider_.StopObserving(*observer_);
    if (written_) StandardError().Write("\r\x1b[2K");
  }
  LoadProgress(const LoadProgress&) = delete;
  LoadProgress& operator=(const LoadProgress&) = delete;

 private:
  void Show(const Availability& now) {
    if (now.state != ModelState::kLoading || std::chrono::steady_clock::now() - since_ < kSlowToLoad) return;
    const std::string line = fmt::format("loading {}… {:.0f} %", name_, 100 * now.fraction);
    StandardError().Write("\r" + Dimmed(WithoutControls(ReplaceInvalidUtf8(line)), StandardError()));
    written_ = true;
  }

  GptOssAgentProvider& provider_;
  const std::string name_;
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::optional<int> observer_;
  bool written_ = false;  // by the observer; read after it has stopped
};

}  // namespace

Result<Answering> OpenProvider(const GenerationArguments& arguments) {
  Answering answering;
  GPTOSS_TRY(answering.selected, SelectModel(arguments.model));
  GPTOSS_TRY(answering.provider, MakeProvider(answering.selected, arguments));
  answering.context = arguments.context.value_or(0);
  return answering;
}

Result<std::unique_ptr<GptOssAgentProvider>> MakeProvider(const SelectedModel& selected,
                                                          const GenerationArguments& arguments) {
  GPTOSS_TRY(const Settings::Pointer settings, LoadSettings(arguments.quiet));
  GPTOSS_TRY(ProviderOptions options, ProviderOptionsFrom(*settings, selected.demo()));
  if (arguments.context) options.context_tokens = *arguments.context;
  options.backend.threads = arguments.threads.value_or(0);
  options.backend.precise = arguments.precise;
  options.preload = false;  // it is loaded at once, with progress
  // What matters is remarked here anyhow; who has set a level wants the log beside it.
  if (!IsSet(*settings, "log.level") || arguments.quiet) options.log = {};
  if (arguments.telemetry) options.telemetry.log = *arguments.telemetry;
  if (options.telemetry.log && options.telemetry.folder.empty()) {
    GPTOSS_TRY(options.telemetry.folder, TelemetryFolder());
  }
  GPTOSS_TRY(std::unique_ptr<ModelSource> source, SourceOf(selected, *settings));
  return GptOssAgentProvider::Create(std::move(options), std::move(source));
}

Status LoadShown(const Answering& answering, bool quiet, const CancelToken& cancel) {
  if (const std::string notice = SelectionNotice(answering.selected); !notice.empty() && !quiet)
    Remark(notice);
  GptOssAgentProvider& provider = *answering.provider;
  Status loaded;
  {
    const LoadProgress progress(provider, answering.selected.name, StandardError().styled() && !quiet);
    loaded = provider.Load(std::nullopt, cancel);
  }
  if (!loaded) {
    const ErrorCode code = loaded.error().code;
    const bool of_the_choice = code != ErrorCode::kCancelled && code != ErrorCode::kResourceExhausted;
    if (of_the_choice && !answering.selected.origin.empty())
      return std::unexpected(std::move(loaded).error().Within(answering.selected.origin));
    return loaded;
  }
  const Availability now = provider.availability();
  if (now.state == ModelState::kReady && !now.reason.empty() && !quiet) Remark(now.reason);
  if (const std::int64_t own = provider.model().max_context_tokens; answering.context > own && !quiet)
    Remark(fmt::format("the context is {} tokens, all that the model can take, instead of {}", own,
                       answering.context));
  return {};
}

StreamOptions StreamOptionsFor(const GenerationArguments& arguments, bool demo) {
  const SamplingOptions sampling = SamplingFor(arguments, demo);
  StreamOptions options;
  options.temperature = sampling.temperature;
  options.top_p = sampling.top_p;
  options.top_k = sampling.top_k;
  options.min_p = sampling.min_p;
  options.seed = sampling.seed;
  options.max_tokens = arguments.max_tokens.value_or(0);
  options.keep_unanswered = false;
  return options;
}

StreamDone RunTurn(GptOssAgentProvider& provider, const SessionId& session, std::string prompt,
                   const StreamOptions& options, const CancelToken& cancel,
                   const std::function<bool(const StreamChunk&)>& on_chunk) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<StreamDone> done;
  };
  const auto waiting = std::make_shared<Waiting>();  // the last notify may outlive this call
  const Status started = provider.Stream(
      session, std::move(prompt), options,
      [&](const StreamChunk& chunk) {
        if (!on_chunk(chunk)) provider.Cancel(session);
      },
      [waiting](const StreamDone& done) {
        const std::lock_guard lock(waiting->mutex);
        waiting->done = done;
        waiting->changed.notify_all();
      });
  if (!started) {
    StreamDone refused;
    refused.explanation = started.error().message;
    refused.error = started.error();
    return refused;
  }
  bool told = false;
  std::unique_lock lock(waiting->mutex);
  while (!waiting->done) {
    waiting->changed.wait_for(lock, kLook);
    if (told || !cancel.cancelled()) continue;
    told = true;
    lock.unlock();
    provider.Cancel(session);
    lock.lock();
  }
  return waiting->done.value_or(StreamDone{});
}

}  // namespace gptoss::cli
