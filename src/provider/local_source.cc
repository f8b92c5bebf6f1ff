// A model from a folder, a file, or the program itself.
#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "platform/mapped_memory.h"
#include "provider/agent_provider.h"
#include "provider/hub_source.h"
#include "settings/paths.h"
#include "settings/policy.h"

namespace gptoss {
namespace {

class LocalSource final : public ModelSource {
 public:
  explicit LocalSource(std::string path) : path_(std::move(path)) {}

  Availability Look() override {
    if (path_.empty()) return {.state = ModelState::kInstalled};
    std::error_code failed;
    if (std::filesystem::exists(path_, failed)) return {.state = ModelState::kInstalled};
    return {.state = ModelState::kUnavailable,
            .reason = fmt::format("{}: no such file or folder", path_),
            .advice = "give the path of a checkpoint, or install a model: gptoss install",
            .error = ErrorCode::kNotFound};
  }
  Result<Checkpoint> Open(const std::optional<std::string>& path) override {
    const std::string& from = path ? *path : path_;
    if (from.empty()) return OpenDemoCheckpoint();  // part of the program: no policy is asked about it
    GPTOSS_TRY(const Policy policy, Policy::Load());
    GPTOSS_TRY(const std::filesystem::path state, StateDirectory());
    GPTOSS_CHECK_OK(CheckMayLoad(policy, from, hub::ManifestStore(state)));
    return OpenToLoad(from);
  }
  Result<std::unique_ptr<LoadedModel>> Load(const Checkpoint& checkpoint, const LoadedModel::Options& options,
                                            const std::function<void(double)>& on_fraction,
                                            const CancelToken& cancel) override {
    return LoadMapped(checkpoint, options, on_fraction, cancel);
  }
  Status Install(const std::string&, const std::function<void(const Availability&)>&,
                 const CancelToken&) override {
    return Fail(ErrorCode::kFailedPrecondition,
                path_.empty() ? "the demo is part of the program; name a model to install"
                              : fmt::format("{} is a path; only models of the Hub are installed", path_));
  }

 private:
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadMapped(const Checkpoint& checkpoint,
                                                const LoadedModel::Options& options,
                                                const std::function<void(double)>& on_fraction,
                                                const CancelToken& cancel) {
  // Every page is brought in and mapped now: that is the long part, it can be shown and cancelled, and the
  // first token does not wait for the disk.
  std::uint64_t total = 1, done = 0;
  for (const auto& file : checkpoint.model->files) total += file->bytes().size();
  for (const auto& file : checkpoint.model->files) {
    constexpr std::size_t kPiece = 64 << 20;
    for (auto rest = file->bytes(); !rest.empty(); rest = rest.subspan(std::min(kPiece, rest.size()))) {
      if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "the load was cancelled");
      const auto piece = rest.first(std::min(kPiece, rest.size()));
      if (!PopulateMapped(piece)) {
        return Fail(
            ErrorCode::kDataLoss,
            fmt::format("{}: cannot be read; the disk failed or the file was cut short", file->name()));
      }
      done += piece.size();
      on_fraction(0.95 * static_cast<double>(done) / static_cast<double>(total));
    }
  }
  auto loaded = LoadedModel::Load(checkpoint, options);
  if (loaded) on_fraction(1);
  return loaded;
}

std::unique_ptr<ModelSource> LocalModelSource(std::string path) {
  return std::make_unique<LocalSource>(std::move(path));
}

}  // namespace gptoss
