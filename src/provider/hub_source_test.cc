// A model of the Hub from "not installed" to an answer, and every reason why it may not go that way. The Hub
// is a server of the test's own that serves the demo's files.
#include "provider/hub_source.h"
#include "base/testing/temporary_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/acknowledgement.h"
#include "base/file.h"
#include "hub/testing/fake_hub.h"
#include "provider/from_settings.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using hub::testing::kA;
using State = ModelState;

const fs::path kDemo = fs::path(GPTOSS_SOURCE_DIR) / "models/demo";

class HubSourceTest : public ::testing::Test {
 protected:
  HubSourceTest() {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"})
      hub_.Put(kA, name, ReadFile(kDemo / name).value());
    options_.hub.cache_dir = (temporary_.path() / "hub").string();
    options_.hub.retry_limit = 2;
    options_.hub.retry_base = 5ms;
    options_.hub.disk_margin_bytes = 1000;
    options_.state_folder = temporary_.path() / "state";
    options_.policy = [this] { return Policy::Load({}, policy_); };
    options_.make_installer = [this]() -> Result<std::unique_ptr<hub::Installer>> {
      return hub::Installer::CreateWith(std::make_unique<hub::testing::FakeClient>(hub_, options_.hub),
                                        {.hub_caches = {options_.hub.cache_dir}}, options_.state_folder,
                                        "1.2.3");
    };
  }
  ~HubSourceTest() override { provider_.reset(); }

  void Start() {
    ProviderOptions options;
    options.temperature = 0;
    options.pressure_source = nullptr;
    provider_ = GptOssAgentProvider::Create(std::move(options), HubModelSource("org/model", options_).value())
                    .value();
    provider_->Observe([this](const Availability& news) {
      const std::lock_guard lock(mutex_);
      news_.push_back(news);
      changed_.notify_all();
    });
  }
  void Rule(const std::string& toml) { ASSERT_TRUE(WriteFileAtomic(policy_, toml)); }

  // Waits until an observer was told of this state.
  bool Heard(State state) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] {
      return std::ranges::any_of(news_, [&](const Availability& a) { return a.state == state; });
    });
  }
  std::vector<State> States() {
    const std::lock_guard lock(mutex_);
    std::vector<State> states;
    for (const Availability& news : news_)
      if (states.empty() || states.back() != news.state) states.push_back(news.state);
    return states;
  }
  StreamDone Ask() {
    struct Wait {
      std::mutex mutex;
      std::condition_variable changed;
      std::optional<StreamDone> done;
    };
    const auto wait = std::make_shared<Wait>();
    const SessionId session = provider_->StartSession().value();
    EXPECT_TRUE(provider_->Stream(session, "Who are you?", {.max_tokens = 200}, nullptr,
                                  [wait](const StreamDone& done) {
                                    const std::lock_guard lock(wait->mutex);
                                    wait->done = done;
                                    wait->changed.notify_all();
                                  }));
    std::unique_lock lock(wait->mutex);
    EXPECT_TRUE(wait->changed.wait_for(lock, 120s, [&] { return wait->done.has_value(); }));
    return wait->done.value_or(StreamDone{});
  }

  TemporaryFolder temporary_;
  const fs::path policy_ = temporary_.path() / "policy.toml";
  hub::testing::FakeHub hub_;
  HubSourceOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Availability> news_;
  std::unique_ptr<GptOssAgentProvider> provider_;
};

TEST_F(HubSourceTest, FromNotInstalledToAnAnswer) {
  Start();
  EXPECT_EQ(provider_->availability().state, State::kNotInstalled);
  const Status early = provider_->Load();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kNotFound);
  EXPECT_NE(early.error().message.find("gptoss install org/model"), std::string::npos);
  const Status installed = provider_->Install("embedding program");
  ASSERT_TRUE(installed) << installed.error().message;
  EXPECT_EQ(provider_->availability().state, State::kInstalled);
  const auto acknowledged = FindAcknowledgement(options_.state_folder, "org/model", kA, "apache-2.0").value();
  ASSERT_TRUE(acknowledged.has_value());
  EXPECT_EQ(acknowledged->how, "embedding program");
  EXPECT_FALSE(Ask().answer.empty());
  EXPECT_TRUE(Heard(State::kReady));
  EXPECT_EQ(States(),
            (std::vector<State>{State::kDownloading, State::kInstalled, State::kLoading, State::kReady}));
  EXPECT_EQ(hub::ManifestStore(options_.state_folder, "installing").List().size(), 0U);
  const ModelFacts facts = provider_->model();
  EXPECT_EQ(facts.hash.size(), 12U);
  EXPECT_GT(facts.context_tokens, 0);
}

TEST_F(HubSourceTest, NothingComesBeforeTheAcknowledgement) {
  Start();
  const Status refused = provider_->Install("");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(refused.error().message.find("licence.acknowledgement_required"), std::string::npos);
  EXPECT_TRUE(hub_.fetched().empty());
  // Recorded by whoever: no need to say it again.
  ASSERT_TRUE(RecordAcknowledgement(
      options_.state_folder,
      {.model = "org/model", .revision = kA, .licence = "apache-2.0", .how = "asked in the terminal"}));
  EXPECT_TRUE(provider_->Install(""));
  EXPECT_EQ(hub::ManifestStore(options_.state_folder).Find("org/model")->acknowledgement->how,
            "asked in the terminal");
}

TEST_F(HubSourceTest, AnAcknowledgementCountsForTheLicenceThatWasShown) {
  options_.shown_licence = "mit";
  Start();
  const Status refused = provider_->Install("asked in a client");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("apache-2.0"), std::string::npos);
  EXPECT_TRUE(hub_.fetched().empty());
  EXPECT_FALSE(FindAcknowledgement(options_.state_folder, "org/model", kA, "apache-2.0").value().has_value());
}

TEST_F(HubSourceTest, APolicySaysNoAndWhere) {
  Rule("[models]\nallowed = [\"openai/*\"]\n");
  Start();
  EXPECT_EQ(provider_->availability().state, State::kUnavailable);
  EXPECT_NE(provider_->availability().reason.find("models.allowed in " + policy_.string()),
            std::string::npos);
  EXPECT_EQ(provider_->Install("test").error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(provider_->Load().error().code, ErrorCode::kPermissionDenied);
  Rule("[network]\ninstall = false\n");
  EXPECT_NE(provider_->Refresh().reason.find("network.install"), std::string::npos);
  EXPECT_EQ(provider_->Install("test").error().code, ErrorCode::kPermissionDenied);
  Rule("[platforms]\nallowed = [\"vax-vms\"]\n");
  EXPECT_NE(provider_->Refresh().reason.find("platforms.allowed"), std::string::npos);
  Rule("[models]\nallow = []\n");
  EXPECT_EQ(provider_->Refresh().state, State::kUnavailable);  // fails closed
  EXPECT_TRUE(hub_.fetched().empty());
  Rule("");
  EXPECT_EQ(provider_->Refresh().state, State::kNotInstalled);
  EXPECT_TRUE(provider_->Install("test"));
  // What is installed may still be forbidden later.
  Rule("[models]\nallowed = []\n");
  EXPECT_EQ(provider_->Load().error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(provider_->availability().state, State::kUnavailable);
}

TEST_F(HubSourceTest, DamageIsSeenBeforeALoadAndInstallingRepairsIt) {
  Start();
  ASSERT_TRUE(provider_->Install("test"));
  const auto manifest = hub::ManifestStore(options_.state_folder).Find("org/model").value();
  const std::size_t fetched = hub_.fetched().size();
  fs::resize_file(fs::canonical(manifest.folder / "model.safetensors"), 1000);
  const Status damaged = provider_->Load();
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kDataLoss);
  EXPECT_NE(damaged.error().message.find("model.safetensors"), std::string::npos) << damaged.error().message;
  EXPECT_EQ(provider_->availability().state, State::kNotInstalled);
  ASSERT_TRUE(provider_->Install("test"));
  EXPECT_TRUE(provider_->Load());
  EXPECT_GT(hub_.fetched().size(), fetched);
  Rule("[network]\ninstall = false\n");
  provider_->Unload();
  fs::resize_file(fs::canonical(manifest.folder / "model.safetensors"), 1000);
  EXPECT_EQ(provider_->Load().error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(provider_->availability().state, State::kUnavailable);  // nobody may fetch it
}

TEST_F(HubSourceTest, ACancelledInstallGoesOnLaterAndForThoseWhoJoined) {
  std::atomic<bool> hold = true;
  hub_.change_content = [&](const std::string& path, std::string&) {
    while (path == "model.safetensors" && hold) std::this_thread::sleep_for(1ms);
  };
  Start();
  CancelSource cancel;
  std::thread first([&] {
    const Status status = provider_->Install("test", cancel.token());
    EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  });
  EXPECT_TRUE(Heard(State::kDownloading));
  std::thread second([&] {
    const Status status = provider_->Install("test");
    EXPECT_TRUE(status) << status.error().message;
  });
  cancel.Cancel();
  first.join();
  hold = false;
  second.join();
  EXPECT_EQ(provider_->availability().state, State::kInstalled);
}

// Some of it has come and the rest is held back until the provider says how far it is and how long it takes.
TEST_F(HubSourceTest, ADownloadTellsItsFractionAndTheTimeLeft) {
  std::atomic<bool> hold = true;
  hub_.change_content = [&](const std::string& path, std::string&) {
    while (path == "model.safetensors" && hold) std::this_thread::sleep_for(1ms);
  };
  Start();
  std::thread installing([&] {
    const Status status = provider_->Install("test");
    EXPECT_TRUE(status) << status.error().message;
  });
  const auto told = [&] {
    const Availability now = provider_->availability();
    return now.state == State::kDownloading && now.fraction > 0 && now.fraction < 1 && now.eta_seconds > 0;
  };
  bool seen = false;
  for (int i = 0; i < 60'000 && !seen; ++i) {
    seen = told();
    std::this_thread::sleep_for(1ms);
  }
  hold = false;
  installing.join();
  EXPECT_TRUE(seen);
  EXPECT_EQ(provider_->availability().state, State::kInstalled);
}

TEST_F(HubSourceTest, ABegunInstallIsToldWithWhatIsMissing) {
  hub_.change_content = [](const std::string& path, std::string& content) {
    if (path == "model.safetensors") content[1000] ^= 1;  // the hash is wrong, also at the second try
  };
  Start();
  const Status broken = provider_->Install("test");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kDataLoss);
  const Availability now = provider_->availability();
  EXPECT_EQ(now.state, State::kNotInstalled);
  EXPECT_GE(now.download_bytes, fs::file_size(kDemo / "model.safetensors"));
  hub_.change_content = nullptr;
  EXPECT_TRUE(provider_->Install("test"));
}

TEST(DefaultModelSource, TellsPathsNamesAndTheDemoApart) {
  EXPECT_EQ(DefaultModelSource("").value()->Look().state, State::kInstalled);
  EXPECT_EQ(DefaultModelSource("demo").value()->Look().state, State::kInstalled);
  EXPECT_EQ(DefaultModelSource("/nowhere").value()->Look().state, State::kUnavailable);
  EXPECT_EQ(DefaultModelSource("/nowhere").value()->Look().error, ErrorCode::kNotFound);
  EXPECT_EQ(DefaultModelSource(kDemo.string()).value()->Look().state, State::kInstalled);
  EXPECT_EQ(DefaultModelSource("a b/c").error().code, ErrorCode::kInvalidArgument);
  TemporaryFolder temporary;
  HubSourceOptions options;
  options.state_folder = temporary.path();
  options.policy = [] { return Policy(); };
  const Availability twenty = HubModelSource("gpt-oss-20b", options).value()->Look();
  EXPECT_EQ(twenty.state, State::kNotInstalled);
  EXPECT_GT(twenty.download_bytes, 12'000'000'000U);
}

// What is opened where it lies is under the policy too.
TEST(CheckMayLoad, PathsAreAskedAboutByTheirCanonicalForm) {
  TemporaryFolder temporary;
  const fs::path policy_file = temporary.path() / "policy.toml";
  ASSERT_TRUE(WriteFileAtomic(policy_file, "[models]\nallowed = [\"/opt/*\", \"org/model\"]\n"));
  const Policy policy = Policy::Load({}, policy_file).value();
  const hub::ManifestStore installed(temporary.path());
  EXPECT_TRUE(CheckMayLoad(policy, "/opt/model", installed));
  EXPECT_TRUE(CheckMayLoad(policy, "/opt/./x/../model", installed));
  EXPECT_EQ(CheckMayLoad(policy, "/opt/../home/model", installed).error().code, ErrorCode::kPermissionDenied);
  hub::Manifest manifest;
  manifest.model = manifest.repository = "org/model";
  manifest.commit = kA;
  manifest.folder = temporary.path();
  manifest.license = "apache-2.0";
  manifest.verified_at = "2026-01-01T00:00:00Z";
  manifest.files = {{.path = "m.gguf", .size = 4, .hash = {std::string(64, 'a')}}};
  ASSERT_TRUE(installed.Write(manifest));
  EXPECT_TRUE(CheckMayLoad(policy, temporary.path(), installed));  // it is org/model
  // By name its licence counts as well.
  const Status licence = CheckMayLoad(policy, manifest, temporary.path());
  ASSERT_FALSE(licence);
  EXPECT_NE(licence.error().message.find("licence"), std::string::npos);
  manifest.acknowledgement =
      hub::Acknowledgement{.license = "apache-2.0", .commit = kA, .time = "", .how = "x"};
  EXPECT_TRUE(CheckMayLoad(policy, manifest, temporary.path()));
}

}  // namespace
}  // namespace gptoss
