#include "hub/archive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/testing/temporary_folder.h"
#include "hub/local_model.h"
#include "hub/tar.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

ByteSource SourceOf(const std::string& bytes, std::size_t& at, std::size_t step = 1 << 20) {
  return [&bytes, &at, step](std::span<std::byte> into) -> Result<std::size_t> {
    const std::size_t count = std::min({into.size(), bytes.size() - at, step});
    std::memcpy(into.data(), bytes.data() + at, count);
    at += count;
    return count;
  };
}

ByteSink SinkTo(std::string& bytes) {
  return [&bytes](std::span<const std::byte> more) -> Status {
    bytes.append(reinterpret_cast<const char*>(more.data()), more.size());
    return {};
  };
}

std::string Packed(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string bytes;
  TarWriter tar(SinkTo(bytes));
  for (const auto& [name, content] : files) {
    EXPECT_TRUE(tar.Begin(name, content.size()));
    EXPECT_TRUE(tar.Append(std::as_bytes(std::span(content))));
    EXPECT_TRUE(tar.End());
  }
  EXPECT_TRUE(tar.Finish());
  return bytes;
}

Result<std::vector<std::pair<std::string, std::string>>> Unpacked(const std::string& bytes,
                                                                  std::size_t step) {
  std::vector<std::pair<std::string, std::string>> files;
  std::size_t at = 0;
  TarReader tar(SourceOf(bytes, at, step));
  while (true) {
    GPTOSS_TRY(const std::optional<TarEntry> entry, tar.Next());
    if (!entry) return files;
    std::string content(static_cast<std::size_t>(entry->size), '\0');
    for (std::size_t have = 0; have < content.size();) {
      GPTOSS_TRY(const std::size_t got, tar.Read(std::as_writable_bytes(std::span(content)).subspan(have)));
      have += got;
    }
    files.emplace_back(entry->path, std::move(content));
  }
}

TEST(Tar, ComesBackInPiecesOfAnySize) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"config.json", "{}"},
      {"empty", ""},
      {"block", std::string(512, 'x')},
      {"sub/" + std::string(200, 'n'), "long name"},
      {"ä ü.txt", std::string(1000, 'y')}};
  const std::string bytes = Packed(files);
  EXPECT_EQ(bytes.size() % 512, 0U);
  for (const std::size_t step : {1U, 7U, 512U, 1U << 20}) {
    const auto read = Unpacked(bytes, step);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, files);
  }
}

TEST(Tar, EveryCutIsNoticed) {
  const std::string bytes = Packed({{"a", std::string(700, 'a')}, {std::string(150, 'b'), "b"}});
  // The two empty blocks at the end: one is enough to know the end.
  for (std::size_t size = 0; size <= bytes.size() - 1024; size += 64)
    EXPECT_FALSE(Unpacked(bytes.substr(0, size), 512)) << size;
}

TEST(Tar, LinksAndDamageAreRefused) {
  std::string bytes = Packed({{"a", "x"}});
  std::string damaged = bytes;
  damaged[0] = 'b';  // the checksum no longer fits
  EXPECT_EQ(Unpacked(damaged, 512).error().code, ErrorCode::kDataLoss);
  std::string link = bytes;
  link[156] = '2';
  unsigned sum = 0;
  for (int i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(link[i]);
  std::snprintf(link.data() + 148, 7, "%06o", sum);
  EXPECT_EQ(Unpacked(link, 512).error().code, ErrorCode::kUnsupported);
}

class ExportTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(base_.path() / "model" / "sub");
    ASSERT_TRUE(WriteFileAtomic(base_.path() / "model/config.json", "{}"));
    ASSERT_TRUE(WriteFileAtomic(base_.path() / "model/sub/m.gguf", "GGUF" + std::string(100'000, 'w')));
    auto manifest = ManifestOfLocalModel(base_.path() / "model", "1.0", {});
    ASSERT_TRUE(manifest) << manifest.error().message;
    manifest_ = *manifest;
  }
  std::size_t Entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(base_.path()), fs::directory_iterator()));
  }
  TemporaryFolder base_;
  Manifest manifest_;
};

TEST_F(ExportTest, ALocalModelIsCalledAsItsFolderAndHashed) {
  EXPECT_EQ(manifest_.model, "model");
  ASSERT_EQ(manifest_.files.size(), 2U);
  EXPECT_EQ(manifest_.files[0].hash.hex, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  EXPECT_EQ(QuickCheck(manifest_).state, Integrity::kVerified);
  const auto file = ManifestOfLocalModel(base_.path() / "model/sub/m.gguf", "1.0", {});
  ASSERT_TRUE(file);
  EXPECT_EQ(file->model, "m.gguf");
  EXPECT_EQ(CheckpointPath(*file), base_.path() / "model/sub/m.gguf");
  EXPECT_EQ(ManifestOfLocalModel(base_.path(), "1.0", {})->files.size(), 2U);
  fs::remove(base_.path() / "model/sub/m.gguf");
  EXPECT_EQ(ManifestOfLocalModel(base_.path(), "1.0", {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ExportTest, AnyPartOfALocalGgufStandsForAll) {
  const fs::path first = base_.path() / "parts/m-00001-of-00002.gguf",
                 second = base_.path() / "parts/m-00002-of-00002.gguf";
  fs::create_directories(first.parent_path());
  ASSERT_TRUE(WriteFileAtomic(second, "GGUF two"));
  const auto half = ManifestOfLocalModel(second, "1.0", {});
  ASSERT_FALSE(half);
  EXPECT_NE(half.error().message.find("m-00001-of-00002.gguf"), std::string::npos) << half.error().message;
  ASSERT_TRUE(WriteFileAtomic(first, "GGUF one"));
  const auto whole = ManifestOfLocalModel(second, "1.0", {});
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->model, "m.gguf");
  EXPECT_EQ(whole->files.size(), 2U);
  EXPECT_EQ(CheckpointPath(*whole), first);
}

TEST_F(ExportTest, AFolderHasTheFilesAndTheirManifest) {
  const fs::path target = base_.path() / "out";
  std::uint64_t done = 0;
  const auto observe = [&](const TransferProgress& progress) { done = progress.done_bytes; };
  ASSERT_TRUE(ExportToFolder(manifest_, target, observe, {}));
  EXPECT_EQ(done, TotalBytes(manifest_));
  EXPECT_EQ(*ReadFile(target / "sub/m.gguf"), *ReadFile(base_.path() / "model/sub/m.gguf"));
  const auto manifest = ParseManifest(*ReadFile(target / kExportedManifest));
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->files[1].hash, manifest_.files[1].hash);
  EXPECT_TRUE(manifest->folder.empty());
  const Status again = ExportToFolder(manifest_, target, {}, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
}

TEST_F(ExportTest, ATarComesBack) {
  const fs::path tar = base_.path() / "out.tar";
  ASSERT_TRUE(ExportToTar(manifest_, tar, {}, {}));
  const auto folder = UnpackTar(tar, base_.path() / "unpacked", {}, {});
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(*folder, base_.path() / "unpacked");
  EXPECT_EQ(*ReadFile(*folder / "sub/m.gguf"), *ReadFile(base_.path() / "model/sub/m.gguf"));
  EXPECT_TRUE(ParseManifest(*ReadFile(*folder / kExportedManifest)));
}

TEST_F(ExportTest, AnArchiveOfAFolderIsEnteredOneStep) {
  const fs::path tar = base_.path() / "x.tar";
  ASSERT_TRUE(WriteFileAtomic(tar, Packed({{"model/config.json", "{}"}, {"model/m.gguf", "GGUF"}})));
  const auto folder = UnpackTar(tar, base_.path() / "unpacked", {}, {});
  ASSERT_TRUE(folder);
  EXPECT_EQ(*folder, base_.path() / "unpacked" / "model");
}

TEST_F(ExportTest, DamageAndCancelLeaveNothing) {
  const std::size_t before = Entries();
  const CancelSource cancel;
  cancel.Cancel();
  EXPECT_EQ(ExportToFolder(manifest_, base_.path() / "out", {}, cancel.token()).error().code,
            ErrorCode::kCancelled);
  EXPECT_EQ(ExportToTar(manifest_, base_.path() / "out.tar", {}, cancel.token()).error().code,
            ErrorCode::kCancelled);
  ASSERT_TRUE(WriteFileAtomic(base_.path() / "model/sub/m.gguf", "GGUF" + std::string(100'000, 'v')));
  const Status damaged = ExportToFolder(manifest_, base_.path() / "out", {}, {});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kDataLoss);
  EXPECT_NE(damaged.error().message.find("sub/m.gguf"), std::string::npos);
  EXPECT_FALSE(ExportToTar(manifest_, base_.path() / "out.tar", {}, {}));
  EXPECT_EQ(Entries(), before);
}

TEST_F(ExportTest, NamesThatLeadOutOfAnArchiveAreRefused) {
  const fs::path tar = base_.path() / "evil.tar";
  for (const char* name : {"../escaped", "/tmp/escaped", "a/../../escaped", "a\\b", "a\nb"}) {
    ASSERT_TRUE(WriteFileAtomic(tar, Packed({{"config.json", "{}"}, {name, "x"}})));
    const auto folder = UnpackTar(tar, base_.path() / "unpacked", {}, {});
    ASSERT_FALSE(folder) << name;
    EXPECT_EQ(folder.error().code, ErrorCode::kDataLoss) << name;
    EXPECT_FALSE(fs::exists(base_.path() / "unpacked"));
    EXPECT_FALSE(fs::exists(base_.path() / "escaped"));
  }
  ASSERT_TRUE(WriteFileAtomic(tar, Packed({{"twice", "1"}, {"twice", "2"}})));
  EXPECT_FALSE(UnpackTar(tar, base_.path() / "unpacked", {}, {}));
}

}  // namespace
}  // namespace gptoss::hub
