// Whole installs against a server of the test's own: what is fetched, what is on the disk, what is refused.
#include "hub/installer.h"
#include "base/testing/temporary_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "base/file.h"
#include "hub/completeness.h"
#include "hub/disk.h"
#include "hub/testing/fake_hub.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;
using testing::FakeClient;
using testing::FakeHub;
using testing::kA;
using testing::kB;

std::string Weights(std::size_t size, char fill) {
  return std::string("\x02\0\0\0\0\0\0\0{}", 10) + std::string(size, fill);
}

class InstallerTest : public ::testing::Test {
 protected:
  InstallerTest() {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    options_.cache_dir = (temporary_.path() / "hub").string();
    options_.retry_limit = 2;
    options_.retry_base = std::chrono::milliseconds(5);
    options_.disk_margin_bytes = 1000;
    folders_.hub_caches = {options_.cache_dir};
    hub_.Put(kA, "config.json", "{}");
    hub_.Put(kA, "sub/notes.txt", "notes");
    hub_.Put(kA, "model-00001-of-00002.safetensors", Weights(300'000, 'x'));
    hub_.Put(kA, "model-00002-of-00002.safetensors", Weights(200'000, 'y'));
    hub_.Put(
        kA, "model.safetensors.index.json",
        R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})");
  }
  void PutSecondVersion() {
    hub_.Put(kB, "config.json", "{\"b\":1}");
    hub_.Put(kB, "sub/notes.txt", "notes");
    hub_.Put(kB, "model-00001-of-00002.safetensors", Weights(300'000, 'x'));
    hub_.Put(kB, "model-00002-of-00002.safetensors", Weights(200'000, 'z'));
    hub_.Put(
        kB, "model.safetensors.index.json",
        R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})");
    hub_.main = kB;
  }
  std::unique_ptr<Installer> Make() {
    return Installer::CreateWith(std::make_unique<FakeClient>(hub_, options_), folders_, state_, "1.2.3");
  }
  Result<Manifest> Install(const InstallOptions& options = {}, const std::string& model = "org/model",
                           const ProgressObserver& observer = {}) {
    const auto installer = Make();
    GPTOSS_TRY(const InstallPlan plan, installer->Plan(model, options, {}));
    return installer->Run(plan, options, observer, pause_, {});
  }
  std::string Read(const fs::path& path) { return ReadFile(path).value_or("(cannot be read)"); }
  // Files and links below the cache with the time of their last change.
  std::map<std::string, std::int64_t> State() const {
    std::map<std::string, std::int64_t> all;
    for (const auto& entry : fs::recursive_directory_iterator(options_.cache_dir))
      if (entry.path().string().find(".locks") == std::string::npos)
        all[entry.path().string()] = entry.is_symlink() ? 0 : ModificationTime(entry.path());
    return all;
  }
  void ExpectNothingOfOursLeft() {
    for (const auto& entry : fs::recursive_directory_iterator(options_.cache_dir))
      EXPECT_EQ(entry.path().string().find(".gptoss-"), std::string::npos) << entry.path();
  }

  TemporaryFolder temporary_;
  fs::path state_ = temporary_.path() / "state";
  HubOptions options_;
  LocalFolders folders_;
  FakeHub hub_;
  PauseControl pause_;
  RepositoryCache Cache() const { return {options_.cache_dir, "org/model"}; }
};

TEST_F(InstallerTest, InstallsAWholeModel) {
  TransferProgress last;
  const auto manifest = Install({.acknowledged_how = "--accept-license"}, "org/model",
                                [&](const TransferProgress& progress) { last = progress; });
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(hub_.fetched().size(), 5U);
  EXPECT_EQ(manifest->commit, kA);
  EXPECT_EQ(manifest->verified_by, "1.2.3");
  EXPECT_EQ(manifest->acknowledgement->how, "--accept-license");
  EXPECT_EQ(manifest->acknowledgement->license, "apache-2.0");
  EXPECT_EQ(last.done_bytes, last.total_bytes);
  EXPECT_EQ(ReadRef(Cache(), "main"), kA);
  EXPECT_EQ(Read(manifest->folder / "sub/notes.txt"), "notes");
  EXPECT_TRUE(fs::is_symlink(manifest->folder / "config.json"));
  EXPECT_EQ(ReadTree(Cache(), kA)->files.size(), 5U);
  EXPECT_EQ(QuickCheck(*manifest).state, Integrity::kVerified);
  ExpectNothingOfOursLeft();
}

TEST_F(InstallerTest, APlanWritesNothing) {
  const auto plan = Make()->Plan("org/model", {}, {}).value();
  EXPECT_FALSE(fs::exists(options_.cache_dir));
  EXPECT_FALSE(plan.already_complete);
  EXPECT_EQ(plan.jobs.size(), 5U);
  EXPECT_EQ(plan.present_bytes, 0U);
  EXPECT_EQ(plan.disk_needed_bytes, plan.total_bytes + 1000);
}

TEST_F(InstallerTest, TheSecondTimeNothingIsFetchedAndNothingWritten) {
  ASSERT_TRUE(Install());
  const auto before = State();
  const auto plan = Make()->Plan("org/model", {}, {}).value();
  EXPECT_TRUE(plan.already_complete);
  EXPECT_EQ(plan.present_bytes, plan.total_bytes);
  ASSERT_TRUE(Make()->Run(plan, {}, {}, pause_, {}));
  EXPECT_EQ(hub_.fetched().size(), 5U);
  EXPECT_EQ(State(), before);
}

TEST_F(InstallerTest, WhatOthersLeftIsVerifiedAndOnlyDamageFetched) {
  ASSERT_TRUE(Install());
  fs::remove_all(state_);  // as if another tool had made the cache
  const auto before = State();
  ASSERT_TRUE(Install());
  EXPECT_EQ(hub_.fetched().size(), 5U);
  EXPECT_EQ(State(), before);
  fs::remove_all(state_);
  const auto file = hub_.ListingOf(kA).files[1];  // a weight
  std::fstream(Cache().blob(file.hash), std::ios::in | std::ios::out).seekp(5000).put('!');
  ASSERT_TRUE(Install());
  EXPECT_EQ(hub_.fetched().size(), 6U);
  EXPECT_EQ(HashFile(Cache().blob(file.hash), true, {}).value(), file.hash);
  ExpectNothingOfOursLeft();
}

TEST_F(InstallerTest, AReadOnlyCacheThatIsWholeWillDo) {
  ASSERT_TRUE(Install());
  fs::remove_all(state_);
  fs::remove(Cache().ref("main"));
  for (const auto& entry : fs::recursive_directory_iterator(temporary_.path()))
    if (entry.is_directory() && !entry.is_symlink()) fs::permissions(entry.path(), fs::perms(0555));
  fs::permissions(temporary_.path(), fs::perms(0777));
  const uid_t user = ::geteuid();
  ASSERT_EQ(user == 0 ? ::seteuid(65534) : 0, 0);
  const auto manifest = Install();
  PutSecondVersion();
  const auto incomplete = Install();
  ASSERT_EQ(user == 0 ? ::seteuid(0) : 0, 0);
  for (const auto& entry : fs::recursive_directory_iterator(temporary_.path()))
    if (entry.is_directory() && !entry.is_symlink()) fs::permissions(entry.path(), fs::perms(0755));
  EXPECT_TRUE(manifest) << manifest.error().message;
  ASSERT_FALSE(incomplete);
  EXPECT_EQ(incomplete.error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(hub_.fetched().size(), 5U);  // it was noticed before the network was asked for content
}

TEST_F(InstallerTest, AnUpdateFetchesTheDifferenceAndTheOldVersionStaysUntilTheEnd) {
  const auto old = Install().value();
  PutSecondVersion();
  hub_.change_content = [](const std::string& path, std::string& content) {
    if (path == "model-00002-of-00002.safetensors") content[100] = '!';
  };
  const auto failed = Install();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(ReadRef(Cache(), "main"), kA);
  EXPECT_FALSE(fs::exists(Cache().snapshot(kB)));
  EXPECT_EQ(QuickCheck(old).state, Integrity::kVerified);
  hub_.change_content = nullptr;
  const auto fresh = Install();
  ASSERT_TRUE(fresh) << fresh.error().message;
  EXPECT_EQ(ReadRef(Cache(), "main"), kB);
  EXPECT_EQ(QuickCheck(old).state, Integrity::kVerified);
  EXPECT_EQ(std::ranges::count(hub_.fetched(), "model-00001-of-00002.safetensors"), 1);
  ExpectNothingOfOursLeft();
}

TEST_F(InstallerTest, HostileListingsLeaveTheDiskUntouched) {
  const std::function<void(Listing&)> changes[] = {
      [](Listing& l) { l.files[0].path = "../../../x"; },
      [](Listing& l) { l.files[0].path = "/etc/x"; },
      [](Listing& l) { l.files[0].hash.hex = "../../../../x"; },
      [](Listing& l) { l.commit = "../../.."; },
      [](Listing& l) { l.files.clear(); },
      [](Listing& l) { l.files.push_back(l.files[0]); },
      [](Listing& l) { l.files[0].size = ~0ULL; },
      // Short: a numbered part is missing.
      [](Listing& l) {
        std::erase_if(l.files, [](const FileEntry& f) { return f.path.starts_with("model-00002-of"); });
      },
  };
  for (const auto& change : changes) {
    hub_.change_listing = change;
    const auto result = Install();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kDataLoss);
    EXPECT_FALSE(fs::exists(options_.cache_dir));
  }
}

TEST_F(InstallerTest, AnIndexThatNamesMoreThanIsListedStopsTheInstallEarly) {
  hub_.Put(kA, "model.safetensors.index.json", R"({"weight_map":{"a":"other.safetensors"}})");
  const auto result = Install();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDataLoss);
  EXPECT_NE(result.error().message.find("other.safetensors"), std::string::npos);
  EXPECT_EQ(hub_.fetched(), std::vector<std::string>{"model.safetensors.index.json"});
  EXPECT_EQ(ReadRef(Cache(), "main"), std::nullopt);
  // Who chooses files answers for them.
  EXPECT_TRUE(Install({.include = {"config.json"}}));
}

TEST_F(InstallerTest, PatternsChooseFiles) {
  const auto manifest = Install({}, "org/model:sub/*").value();
  EXPECT_EQ(manifest.model, "org/model:sub/*");
  EXPECT_EQ(hub_.fetched(), std::vector<std::string>{"sub/notes.txt"});
  EXPECT_EQ(ReadTree(Cache(), kA)->files.size(), 5U);  // the tree is that of the whole repository
  EXPECT_EQ(Install({}, "org/model:notes")->files.size(), 1U);
  const auto none = Install({}, "org/model:*.gguf");
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find("config.json"), std::string::npos);
}

TEST_F(InstallerTest, TooLittleRoomIsSaidBeforeTheFirstByte) {
  options_.disk_margin_bytes = 1ULL << 62;
  const auto result = Install();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(result.error().message.find(WithCommas(1ULL << 62)), std::string::npos) << result.error().message;
  EXPECT_TRUE(hub_.fetched().empty());
}

TEST_F(InstallerTest, WithoutTheHubWhatIsWholeHereWillDo) {
  hub_.down = true;
  EXPECT_EQ(Install().error().code, ErrorCode::kUnavailable);
  hub_.down = false;
  ASSERT_TRUE(Install());
  fs::remove_all(state_);
  hub_.down = true;
  EXPECT_TRUE(Install());
  fs::remove(Cache().tree(kA));  // then the links tell
  fs::remove_all(state_);
  options_.offline = true;
  EXPECT_TRUE(Install());
  EXPECT_EQ(Install({}, "org/other").error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(hub_.fetched().size(), 5U);
}

TEST_F(InstallerTest, FilesOfOtherToolsAreTakenOnceTheirHashIsRight) {
  const fs::path lm = temporary_.path() / "lm";
  fs::create_directories(lm);
  options_.disk_margin_bytes = 0;
  const std::string big = Weights(1'500'000, 'q');
  hub_.Put(kA, "model-00001-of-00002.safetensors", big);
  hub_.Put(kA, "model-00002-of-00002.safetensors", Weights(1'600'000, 'r'));
  std::ofstream(lm / "theirs.safetensors") << big;
  std::string wrong = Weights(1'600'000, 'r');
  wrong[77'777] = '!';
  std::ofstream(lm / "wrong.safetensors") << wrong;
  folders_.lm_studio = {lm};
  const auto plan = Make()->Plan("org/model", {}, {}).value();
  EXPECT_EQ(plan.reusable.size(), 2U);
  const auto manifest = Install();
  ASSERT_TRUE(manifest) << manifest.error().message;
  const auto fetched = hub_.fetched();
  EXPECT_EQ(std::ranges::count(fetched, "model-00001-of-00002.safetensors"), 0);
  EXPECT_EQ(std::ranges::count(fetched, "model-00002-of-00002.safetensors"), 1);
  EXPECT_EQ(Read(lm / "wrong.safetensors"), wrong);
  EXPECT_EQ(FullCheck(*manifest, {})->state, Integrity::kVerified);
  ExpectNothingOfOursLeft();
}

TEST_F(InstallerTest, WithoutLinksTheFilesLieInTheSnapshot) {
  options_.use_symlinks = false;
  const auto manifest = Install().value();
  EXPECT_FALSE(fs::is_symlink(manifest.folder / "config.json"));
  EXPECT_TRUE(fs::is_empty(Cache().blobs()));
  fs::remove_all(state_);
  ASSERT_TRUE(Install());
  EXPECT_EQ(hub_.fetched().size(), 5U);
  // Damage there is found and mended too.
  fs::remove_all(state_);
  std::fstream(manifest.folder / "model-00001-of-00002.safetensors", std::ios::in | std::ios::out)
      .seekp(50)
      .put('!');
  const auto again = Install();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(hub_.fetched().size(), 6U);
  EXPECT_EQ(FullCheck(*again, {})->state, Integrity::kVerified);
}

TEST_F(InstallerTest, RepairFetchesOnlyWhatIsDamaged) {
  const auto manifest = Install().value();
  const auto files = hub_.ListingOf(kA).files;
  std::fstream(Cache().blob(files[1].hash), std::ios::in | std::ios::out).seekp(5000).put('!');
  fs::remove(manifest.folder / "sub/notes.txt");  // its blob is there
  const auto report = FullCheck(manifest, {}).value();
  ASSERT_EQ(report.problems.size(), 2U);
  const auto repaired = Make()->Repair(manifest, report, {}, pause_, {});
  ASSERT_TRUE(repaired) << repaired.error().message;
  EXPECT_EQ(hub_.fetched().size(), 6U);
  EXPECT_EQ(FullCheck(*repaired, {})->state, Integrity::kVerified);
  // Truncated, and gone.
  fs::resize_file(Cache().blob(files[2].hash), 10);
  fs::remove(Cache().blob(files[0].hash));
  const auto again = Make()->Repair(*repaired, QuickCheck(*repaired), {}, pause_, {});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(hub_.fetched().size(), 8U);
  EXPECT_EQ(FullCheck(*again, {})->state, Integrity::kVerified);
  ExpectNothingOfOursLeft();
}

TEST_F(InstallerTest, TwoAtOnceFetchEachFileOnce) {
  Result<Manifest> one = Fail(ErrorCode::kInternal, ""), other = Fail(ErrorCode::kInternal, "");
  {
    const std::jthread first([&] { one = Install(); });
    const std::jthread second([&] { other = Install(); });
  }
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_TRUE(other) << other.error().message;
  const auto fetched = hub_.fetched();
  EXPECT_EQ(std::ranges::adjacent_find(fetched), fetched.end());
  EXPECT_EQ(FullCheck(*one, {})->state, Integrity::kVerified);
}

TEST_F(InstallerTest, AForeignLinkInPlaceOfABlobIsReplacedNotWrittenThrough) {
  ASSERT_TRUE(PrepareRepository(Cache()));
  const auto file = hub_.ListingOf(kA).files[0];
  std::ofstream(temporary_.path() / "precious") << "precious";
  fs::create_symlink(temporary_.path() / "precious", Cache().blob(file.hash));
  const auto manifest = Install();
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(Read(temporary_.path() / "precious"), "precious");
  EXPECT_FALSE(fs::is_symlink(Cache().blob(file.hash)));
}

class ImportTest : public InstallerTest {
 protected:
  // An export as another machine made it.
  fs::path Export() {
    const Manifest manifest = Install().value();
    const fs::path folder = temporary_.path() / "usb";
    fs::copy(manifest.folder, folder, fs::copy_options::recursive);
    std::ofstream(folder / kExportedManifest) << ManifestToJson(manifest);
    fs::remove_all(options_.cache_dir);
    fs::remove_all(state_);
    return folder;
  }
  Result<Manifest> Import(const fs::path& folder, const std::string& model = "",
                          const InstallOptions& options = {}) {
    return Make()->InstallFrom(folder, model, options, {}, {});
  }
};

TEST_F(ImportTest, AnExportIsVerifiedAndPlacedWithoutANetwork) {
  const fs::path usb = Export();
  const auto fetched = hub_.fetched().size();
  const auto manifest = Import(usb, "", {.acknowledged_how = "interactive"});
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(hub_.fetched().size(), fetched);
  EXPECT_EQ(manifest->folder, Cache().snapshot(kA));
  EXPECT_EQ(manifest->acknowledgement->how, "interactive");
  EXPECT_EQ(ReadRef(Cache(), "main"), kA);
  EXPECT_EQ(FullCheck(*manifest, {})->state, Integrity::kVerified);
  EXPECT_FALSE(fs::exists(Cache().tree(kA)));  // only a part of the repository is known
  ExpectNothingOfOursLeft();
  ASSERT_TRUE(Make()->Plan("org/model", {}, {})->already_complete);
}

TEST_F(ImportTest, DamageIsRefusedAndWhatIsRightIsKept) {
  const fs::path usb = Export();
  std::fstream(usb / "model-00002-of-00002.safetensors", std::ios::in | std::ios::out).seekp(500).put('!');
  const auto damaged = Import(usb);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kDataLoss);
  EXPECT_NE(damaged.error().message.find("model-00002"), std::string::npos);
  EXPECT_EQ(ReadRef(Cache(), "main"), std::nullopt);
  std::fstream(usb / "model-00002-of-00002.safetensors", std::ios::in | std::ios::out).seekp(500).put('y');
  fs::remove(usb / "model-00001-of-00002.safetensors");  // placed by the first try
  const auto manifest = Import(usb);
  ASSERT_TRUE(manifest) << manifest.error().message;
  fs::remove_all(options_.cache_dir);
  fs::remove_all(state_);
  const auto missing = Import(usb);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("is missing"), std::string::npos);
  EXPECT_FALSE(fs::exists(options_.cache_dir));
}

TEST_F(ImportTest, AnotherModelThanAskedForIsRefused) {
  EXPECT_EQ(Import(Export(), "gpt-oss-20b").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ImportTest, ADownloadOfTheHubsClientIsKnownByItsMetadata) {
  const fs::path folder = temporary_.path() / "local";
  for (const FileEntry& file : hub_.ListingOf(kA).files) {
    const Manifest manifest = Install().value();
    fs::create_directories((folder / file.path).parent_path());
    fs::copy_file(manifest.folder / file.path, folder / file.path);
    const fs::path metadata = folder / ".cache/huggingface/download" / (file.path + ".metadata");
    fs::create_directories(metadata.parent_path());
    std::ofstream(metadata) << kA << "\n" << file.hash.hex << "\n1700000000.5\n";
  }
  fs::remove_all(options_.cache_dir);
  fs::remove_all(state_);
  const auto manifest = Import(folder, "org/model");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->folder, Cache().snapshot(kA));
  EXPECT_EQ(manifest->files.size(), 5U);
}

TEST_F(ImportTest, AnyOtherFolderIsCopiedAndHashed) {
  const fs::path folder = temporary_.path() / "mine";
  fs::create_directories(folder / ".hidden");
  std::ofstream(folder / "config.json") << "{}";
  std::ofstream(folder / ".hidden/x") << "x";
  EXPECT_EQ(Import(folder).error().code, ErrorCode::kInvalidArgument);
  std::ofstream(folder / "model.safetensors") << Weights(100, 'w');
  const auto manifest = Import(folder);
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->model, "mine");
  EXPECT_EQ(manifest->files.size(), 2U);
  EXPECT_EQ(manifest->folder, state_ / "imported/mine");
  fs::remove_all(folder);
  EXPECT_EQ(FullCheck(*manifest, {})->state, Integrity::kVerified);
  EXPECT_EQ(Import(temporary_.path() / "nowhere").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Make()->Repair(*manifest, {}, {}, pause_, {}).error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(InstallerTest, WhatAProcessLeftBesideAPublishedBlobIsSwept) {
  ASSERT_TRUE(Install());
  const ContentHash hash = HashOf(Weights(300'000, 'x'), true);
  std::ofstream(Cache().blobs() / (hash.hex + ".gptoss-journal")) << "left";
  fs::remove(Cache().blob(HashOf("{}", false)));  // so that there is something to do
  ASSERT_TRUE(Install());
  ExpectNothingOfOursLeft();
}

TEST_F(InstallerTest, OnePartOfAGgufBringsTheOthers) {
  for (const char* part : {"q/m-00001-of-00003.gguf", "q/m-00002-of-00003.gguf", "q/m-00003-of-00003.gguf"})
    hub_.Put(kA, part, std::string("GGUF ") + part);
  hub_.Put(kA, "q/m-00001-of-00002.gguf", "GGUF of another series");
  const auto manifest = Install({}, "org/model:q/m-00001-of-00003.gguf");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->files.size(), 3U);
  EXPECT_EQ(CheckpointPath(*manifest), manifest->folder / "q/m-00001-of-00003.gguf");
  const auto chosen = Install({.include = {"q/m-00002-of-00003.gguf"}});
  ASSERT_TRUE(chosen) << chosen.error().message;
  EXPECT_EQ(chosen->files.size(), 1U);  // --include means what it says
}

TEST(Completeness, PartsOfASeries) {
  const auto check = [](std::vector<std::string> paths, bool is_gpt_oss) {
    std::vector<FileEntry> files;
    for (auto& path : paths) files.push_back({.path = std::move(path)});
    return CheckNames(files, is_gpt_oss).has_value();
  };
  EXPECT_TRUE(check({"a-00001-of-00002.gguf", "a-00002-of-00002.gguf"}, true));
  EXPECT_FALSE(check({"a-00001-of-00002.gguf"}, true));
  EXPECT_TRUE(check({"config.json", "m-00000-of-00002.safetensors", "m-00001-of-00002.safetensors",
                     "m-00002-of-00002.safetensors"},
                    true));
  EXPECT_FALSE(check({"m-00000-of-00002.safetensors"}, false));
  EXPECT_FALSE(check({"model.safetensors"}, true));
  EXPECT_FALSE(check({"config.json"}, true));
  EXPECT_TRUE(check({"config.json"}, false));
  EXPECT_TRUE(check({"x-of-y", "-of-", "a-1-of-2", "a-00001-of-"}, false));
}

}  // namespace
}  // namespace gptoss::hub
