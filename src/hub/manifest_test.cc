#include "hub/manifest.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "base/testing/temporary_folder.h"
#include "hub/catalog.h"
#include "hub/part_name.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

std::string Hash(char digit, std::size_t length = 64) { return std::string(length, digit); }

void Write(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

Manifest Example(const fs::path& folder) {
  Manifest manifest;
  manifest.model = "gpt-oss-20b";
  manifest.repository = "mlx-community/gpt-oss-20b-MXFP4-Q8";
  manifest.revision = "main";
  manifest.commit = Hash('a', 40);
  manifest.include = {"*.json"};
  manifest.exclude = {"metal/*"};
  manifest.folder = folder;
  manifest.license = "apache-2.0";
  manifest.acknowledgement =
      Acknowledgement{"apache-2.0", Hash('a', 40), "2026-01-02T03:04:05Z", "interactive"};
  manifest.verified_at = "2026-01-02T03:04:06Z";
  manifest.verified_by = "0.1.0";
  manifest.files = {{.path = "config.json", .size = 2, .hash = {Hash('b', 40)}},
                    {.path = "sub/model.safetensors", .size = 10, .hash = {Hash('c')}}};
  return manifest;
}

// {} in a header of two bytes: what the quick check wants to see of weights.
std::string TinySafetensors() { return std::string("\2\0\0\0\0\0\0\0{}", 10); }

TEST(Manifest, ComesBackAsItWasWritten) {
  const Manifest written = Example("/models/x");
  const auto read = ParseManifest(ManifestToJson(written));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->schema, kManifestSchema);
  EXPECT_EQ(read->model, written.model);
  EXPECT_EQ(read->repository, written.repository);
  EXPECT_EQ(read->commit, written.commit);
  EXPECT_EQ(read->include, written.include);
  EXPECT_EQ(read->exclude, written.exclude);
  EXPECT_EQ(read->folder, written.folder);
  ASSERT_TRUE(read->acknowledgement);
  EXPECT_EQ(read->acknowledgement->how, "interactive");
  EXPECT_EQ(read->acknowledgement->time, "2026-01-02T03:04:05Z");
  ASSERT_EQ(read->files.size(), 2U);
  EXPECT_EQ(read->files[1].path, "sub/model.safetensors");
  EXPECT_EQ(read->files[1].role, "weights");
  EXPECT_EQ(read->files[1].hash, written.files[1].hash);
  EXPECT_EQ(ManifestToJson(*read), ManifestToJson(written));
}

TEST(Manifest, SchemaOneIsMigrated) {
  auto json = ParseJson(ManifestToJson(Example("/models/x")));
  ASSERT_TRUE(json);
  (*json)["schema"] = 1;
  json->erase("include");
  json->erase("exclude");
  const auto read = ParseManifest(DumpJson(*json));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->schema, kManifestSchema);
  EXPECT_TRUE(read->include.empty());
  EXPECT_TRUE(read->exclude.empty());
  EXPECT_EQ(read->files.size(), 2U);
}

TEST(Manifest, ANewerSchemaSaysWhatToDo) {
  auto json = ParseJson(ManifestToJson(Example("/models/x")));
  (*json)["schema"] = kManifestSchema + 1;
  const auto read = ParseManifest(DumpJson(*json));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(read.error().message.find("update gptoss"), std::string::npos);
}

TEST(Manifest, NamesThatLeaveTheFolderAreRefused) {
  for (const char* path : {"../x", "/etc/passwd", "a/../../b", "a//b", "", ".", "a\\b", "a\nb", "a/"}) {
    Manifest manifest = Example("/models/x");
    manifest.files[0].path = path;
    const auto read = ParseManifest(ManifestToJson(manifest));
    ASSERT_FALSE(read) << path;
    EXPECT_EQ(read.error().code, ErrorCode::kDataLoss);
  }
}

TEST(Manifest, BadHashesSizesAndShapesAreRefused) {
  Manifest manifest = Example("/models/x");
  manifest.files[0].hash.hex = "../../../../etc/passwd";
  EXPECT_FALSE(ParseManifest(ManifestToJson(manifest)));
  manifest = Example("/models/x");
  manifest.commit = "main";
  EXPECT_FALSE(ParseManifest(ManifestToJson(manifest)));
  manifest = Example("/models/x");
  manifest.files.clear();
  EXPECT_FALSE(ParseManifest(ManifestToJson(manifest)));
  for (const char* text : {"", "[]", "{", "{}", "{\"schema\":0}", "{\"schema\":-1}", "{\"schema\":\"2\"}",
                           "{\"schema\":2,\"model\":\"x\",\"files\":[1]}",
                           "{\"schema\":2,\"model\":\"x\",\"files\":[{\"path\":\"a\",\"size\":-1}]}"})
    EXPECT_FALSE(ParseManifest(text)) << text;
}

TEST(ManifestStore, FindsByNameRepositoryRevisionAndFolder) {
  const TemporaryFolder state, models;
  const ManifestStore store(state.path());
  ASSERT_TRUE(store.Write(Example(models.path())));
  Manifest other = Example(models.path() / "other");
  other.model = "acme/tiny:*.gguf";
  other.repository = "acme/tiny";
  other.commit = Hash('d', 40);
  ASSERT_TRUE(store.Write(other));
  for (const char* name : {"", "gpt-oss-20b", "GPT-OSS-20B", "mlx-community/gpt-oss-20b-MXFP4-Q8",
                           "gpt-oss-20b@main", "gpt-oss-20b@aaaaaaa"}) {
    const auto found = store.Find(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->model, "gpt-oss-20b") << name;
  }
  EXPECT_EQ(store.Find(models.path().string())->model, "gpt-oss-20b");
  EXPECT_EQ(store.Find("acme/tiny")->model, other.model);
  EXPECT_EQ(store.Find("acme/tiny@main:*.gguf")->model, other.model);
  for (const char* name : {"gpt-oss-20b:openai", "gpt-oss-20b@bbbbbbb", "acme/huge", "nowhere"}) {
    const auto found = store.Find(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
    EXPECT_NE(found.error().message.find("gptoss install"), std::string::npos);
  }
  EXPECT_EQ(store.List().size(), 2U);
  ASSERT_TRUE(store.Remove(other));
  EXPECT_EQ(store.List().size(), 1U);
}

TEST(ManifestStore, ABrokenFileIsReportedAndTheOthersStay) {
  const TemporaryFolder state;
  const ManifestStore store(state.path());
  ASSERT_TRUE(store.Write(Example("/models/x")));
  Write(state.path() / "models" / "half.json", "{\"schema\": 2,");
  std::vector<std::string> problems;
  EXPECT_EQ(store.List(&problems).size(), 1U);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(problems[0].find("half.json"), std::string::npos);
}

TEST(ManifestStore, NamesThatLookAlikeAsFilesStayApart) {
  const TemporaryFolder state;
  const ManifestStore store(state.path());
  for (const char* name : {"a/b", "a-b", "A/b", "a:b"}) {
    Manifest manifest = Example("/models/x");
    manifest.model = name;
    ASSERT_TRUE(store.Write(manifest));
  }
  EXPECT_EQ(store.List().size(), 4U);
}

class QuickCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    Write(folder_.path() / "config.json", "{}");
    Write(Weights(), TinySafetensors());
    manifest_ = Example(folder_.path());
    for (ManifestFile& file : manifest_.files) {
      const auto time = fs::last_write_time(folder_.path() / file.path);
      file.mtime_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::file_clock::to_sys(time).time_since_epoch())
                          .count();
    }
  }
  fs::path Weights() const { return folder_.path() / "sub" / "model.safetensors"; }

  TemporaryFolder folder_;
  Manifest manifest_;
};

TEST_F(QuickCheckTest, UntouchedIsVerified) {
  const IntegrityReport report = QuickCheck(manifest_);
  EXPECT_EQ(report.state, Integrity::kVerified);
  EXPECT_TRUE(report.problems.empty());
  EXPECT_TRUE(RequireIntact(manifest_));
}

TEST_F(QuickCheckTest, AnotherTimeIsAChangeAndMayBeLoaded) {
  fs::last_write_time(Weights(), fs::file_time_type::clock::now() + std::chrono::hours(1));
  const IntegrityReport report = QuickCheck(manifest_);
  EXPECT_EQ(report.state, Integrity::kChanged);
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_EQ(report.problems[0].path, "sub/model.safetensors");
  EXPECT_TRUE(RequireIntact(manifest_));
}

TEST_F(QuickCheckTest, AMissingFileIsIncomplete) {
  fs::remove(folder_.path() / "config.json");
  const IntegrityReport report = QuickCheck(manifest_);
  EXPECT_EQ(report.state, Integrity::kIncomplete);
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_EQ(report.problems[0].what, "missing");
  const Status status = RequireIntact(manifest_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kDataLoss);
  EXPECT_NE(status.error().message.find("gptoss verify gpt-oss-20b --repair"), std::string::npos);
}

TEST_F(QuickCheckTest, ADanglingLinkIsIncomplete) {
  fs::remove(Weights());
  fs::create_symlink("../blobs/nowhere", Weights());
  EXPECT_EQ(QuickCheck(manifest_).state, Integrity::kIncomplete);
}

TEST_F(QuickCheckTest, AnotherSizeIsDamage) {
  fs::resize_file(Weights(), 9);
  const IntegrityReport report = QuickCheck(manifest_);
  EXPECT_EQ(report.state, Integrity::kDamaged);
  EXPECT_EQ(report.problems[0].what, "1 bytes short");
  EXPECT_FALSE(RequireIntact(manifest_));
}

TEST_F(QuickCheckTest, ZerosWhereWeightsBeginAreDamageWhateverTheTime) {
  Write(Weights(), std::string(10, '\0'));
  manifest_.files[1].mtime_ns = 0;
  EXPECT_EQ(QuickCheck(manifest_).state, Integrity::kDamaged);
}

TEST_F(QuickCheckTest, NeverVerifiedIsIncomplete) {
  manifest_.verified_at.clear();
  EXPECT_EQ(QuickCheck(manifest_).state, Integrity::kIncomplete);
  EXPECT_FALSE(RequireIntact(manifest_));
}

TEST_F(QuickCheckTest, ADriftOfThePinsIsToldForGptOssOnly) {
  manifest_.tokenizer_pin = Hash('0');
  manifest_.chat_template_pin = Hash('1');
  const IntegrityReport report = QuickCheck(manifest_);
  EXPECT_EQ(report.state, Integrity::kVerified);
  ASSERT_EQ(report.drifts.size(), 2U);
  EXPECT_NE(report.drifts[0].find("tokenizer.json"), std::string::npos);
  manifest_.tokenizer_pin = "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3";
  manifest_.chat_template_pin = "a4c9919cbbd4acdd51ccffe22da049264b1b73e59055fa58811a99efbd7c8146";
  EXPECT_TRUE(QuickCheck(manifest_).drifts.empty());
  manifest_.tokenizer_pin = Hash('0');
  manifest_.repository = "acme/embeddings";
  EXPECT_TRUE(QuickCheck(manifest_).drifts.empty());
}

TEST_F(QuickCheckTest, TheFullCheckHashesAndForgivesAnotherTime) {
  // printf '{}' | git hash-object --stdin;  printf '\2\0\0\0\0\0\0\0{}' | sha256sum
  manifest_.files[0].hash.hex = "9e26dfeeb6e641a33dae4961196235bdb965b21b";
  manifest_.files[1].hash.hex = "411a485216e432ece6b9af94fa32154cf79a2a56d4f81266baa50063f45092bd";
  fs::last_write_time(Weights(), fs::file_time_type::clock::now() + std::chrono::hours(1));
  std::atomic<std::uint64_t> seen{0};
  const auto report = FullCheck(manifest_, {}, [&](std::uint64_t n) { seen += n; });
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->state, Integrity::kVerified) << report->problems.front().what;
  EXPECT_EQ(seen.load(), 12U);
  Manifest stamped = manifest_;
  ASSERT_TRUE(StampVerified(stamped, "9.9"));
  EXPECT_EQ(QuickCheck(stamped).state, Integrity::kVerified);
  EXPECT_EQ(stamped.verified_by, "9.9");

  std::string bytes = TinySafetensors();
  bytes[9] = ')';
  Write(Weights(), bytes);
  const auto damaged = FullCheck(manifest_, {});
  ASSERT_TRUE(damaged);
  EXPECT_EQ(damaged->state, Integrity::kDamaged);
  ASSERT_EQ(damaged->problems.size(), 1U);
  EXPECT_EQ(damaged->problems[0].path, "sub/model.safetensors");

  const CancelSource cancel;
  cancel.Cancel();
  const auto stopped = FullCheck(manifest_, cancel.token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
}

TEST_F(QuickCheckTest, APinIsTheSha256OfASmallFileAsWell) {
  Write(folder_.path() / "chat_template.jinja", "abc");
  manifest_.files.push_back({.path = "chat_template.jinja", .size = 3, .hash = {Hash('e', 40)}});
  ASSERT_TRUE(StampVerified(manifest_, "9.9"));
  EXPECT_EQ(manifest_.chat_template_pin, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(manifest_.tokenizer_pin, "");
}

TEST(Manifest, AGgufIsOpenedByItsFile) {
  Manifest manifest = Example("/models/x");
  EXPECT_EQ(CheckpointPath(manifest), "/models/x");
  manifest.files[1].path = "m.gguf";
  EXPECT_EQ(CheckpointPath(manifest), "/models/x/m.gguf");
}

TEST(Manifest, AGgufInPartsIsOpenedByTheFirst) {
  Manifest manifest = Example("/models/x");
  manifest.files = {{.path = "q/m-00002-of-00003.gguf"},
                    {.path = "q/m-00001-of-00003.gguf"},
                    {.path = "q/m-00003-of-00003.gguf"},
                    {.path = "README.md"}};
  EXPECT_EQ(CheckpointPath(manifest), "/models/x/q/m-00001-of-00003.gguf");
  manifest.files[2].path = "q/other-00003-of-00003.gguf";
  EXPECT_EQ(CheckpointPath(manifest), "/models/x");  // two models: the user says which
}

TEST(PartName, IsFiveDigitsOfFive) {
  const auto part = ParsePartName("q/m-00002-of-00003.gguf");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->number, 2);
  EXPECT_EQ(part->of, 3);
  EXPECT_EQ(part->PathOf(3), "q/m-00003-of-00003.gguf");
  EXPECT_EQ(part->Series(), "q/m-*-of-00003.gguf");
  for (const char* other : {"m.gguf", "m-2-of-3.gguf", "m-0000x-of-00003.gguf", "m-00002-of-0003.gguf",
                            "-of-", "00002-of-00003", "m00002-of-00003.gguf", ""}) {
    EXPECT_FALSE(ParsePartName(other)) << other;
  }
}

TEST(CatalogData, EveryEntryIsWhole) {
  ASSERT_FALSE(Catalog().empty());
  ASSERT_NE(FindInCatalog(""), nullptr);
  EXPECT_EQ(FindInCatalog("")->repository, "mlx-community/gpt-oss-20b-MXFP4-Q8");
  for (const CatalogEntry& entry : Catalog()) {
    EXPECT_EQ(FindInCatalog(entry.name), &entry);
    EXPECT_FALSE(entry.title.empty()) << entry.name;
    EXPECT_FALSE(entry.memory_advice.empty()) << entry.name;
    EXPECT_NE(FindLicense(entry.license), nullptr) << entry.name;
    EXPECT_GT(entry.memory_advised_bytes, entry.memory_floor_bytes) << entry.name;
  }
  EXPECT_EQ(FindInCatalog("openai/gpt-oss-20b")->name, "gpt-oss-20b:openai");
  EXPECT_EQ(FindInCatalog("gpt-oss-20b:gguf")->include.size(), 1U);
  EXPECT_EQ(FindInCatalog("gpt-oss-120b:gguf")->repository, "ggml-org/gpt-oss-120b-GGUF");
  EXPECT_EQ(FindInCatalog("acme/tiny"), nullptr);
  EXPECT_TRUE(IsGptOss("unsloth/gpt-oss-20b-GGUF"));
  EXPECT_FALSE(IsGptOss("mlx-community/embeddinggemma-300m-8bit"));
  EXPECT_TRUE(LicenseText("apache-2.0")->find("Apache License") != std::string_view::npos);
  EXPECT_FALSE(LicenseText("gemma"));
}

TEST(CatalogData, AnEntryWithoutARepositoryIsRefused) {
  EXPECT_FALSE(ParseCatalog(R"({"models":[{"name":"x","license":"mit","layout":"mlx"}]})"));
  EXPECT_FALSE(ParseCatalog("[]"));
}

}  // namespace
}  // namespace gptoss::hub
