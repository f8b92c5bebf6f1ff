// The shared cache: what is written, in which form, and what deleting takes along.
#include "hub/cache.h"
#include "base/testing/temporary_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/json.h"
#include "hub/disk.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

const std::string kA(40, 'a'), kB(40, 'b');

class Cache : public testing::Test {
 protected:
  FileEntry Put(const std::string& path, const std::string& content, char hash, const fs::path& place = {}) {
    const FileEntry file{.path = path,
                         .size = content.size(),
                         .hash = {std::string(64, hash)},
                         .git_oid = std::string(40, hash)};
    Write(place.empty() ? cache_.blob(file.hash) : place, content);
    return file;
  }
  static void Write(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }
  static std::string Read(const fs::path& path) { return ReadFile(path).value(); }
  // All files and links below the root, relative.
  std::vector<std::string> Everything() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(root_))
      if (!entry.is_directory() || entry.is_symlink())
        all.push_back(entry.path().lexically_relative(root_).string());
    std::ranges::sort(all);
    return all;
  }
  void Publish(const std::string& commit, const std::vector<FileEntry>& files, bool links = true) {
    ASSERT_TRUE(WriteTree(cache_, {.repository = "org/name", .commit = commit, .files = files}));
    const Status status = PublishSnapshot(cache_, commit, files, links);
    ASSERT_TRUE(status) << status.error().message;
  }

  TemporaryFolder temporary_;
  fs::path root_ = temporary_.path() / "hub";
  RepositoryCache cache_{root_, "org/name"};
};

TEST_F(Cache, PathsAreThoseOfTheReferenceClient) {
  const ContentHash hash{std::string(64, '1')};
  EXPECT_EQ(cache_.folder(), root_ / "models--org--name");
  EXPECT_EQ(cache_.blob(hash), root_ / "models--org--name/blobs" / hash.hex);
  EXPECT_EQ(cache_.ref("refs/pr/1"), root_ / "models--org--name/refs/refs/pr/1");
  EXPECT_EQ(cache_.lock(hash), root_ / ".locks/models--org--name" / (hash.hex + ".lock"));
  EXPECT_EQ(cache_.tree(kA), root_ / "models--org--name/trees" / (kA + ".json"));
}

TEST_F(Cache, PreparesFoldersAndTag) {
  ASSERT_TRUE(PrepareRepository(cache_));
  EXPECT_TRUE(fs::is_directory(cache_.blobs()));
  EXPECT_TRUE(fs::is_directory(cache_.locks()));
  EXPECT_EQ(Everything(), std::vector<std::string>{"CACHEDIR.TAG"});
  EXPECT_TRUE(Read(root_ / "CACHEDIR.TAG").starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
  ASSERT_TRUE(PrepareRepository(cache_));
}

TEST_F(Cache, TheRootMayBeALinkButNothingBelowIt) {
  const fs::path elsewhere = temporary_.path() / "elsewhere";
  fs::create_directories(elsewhere);
  fs::create_directory_symlink(elsewhere, root_);
  ASSERT_TRUE(PrepareRepository(cache_));
  for (const char* folder : {"blobs", "snapshots", "refs", "trees"}) {
    fs::remove_all(cache_.folder());
    fs::create_directories(cache_.folder());
    fs::create_directory_symlink(temporary_.path(), cache_.folder() / folder);
    const Status status = PrepareRepository(cache_);
    ASSERT_FALSE(status) << folder;
    EXPECT_EQ(status.error().code, ErrorCode::kPermissionDenied);
    EXPECT_NE(status.error().message.find("is a link"), std::string::npos);
  }
}

TEST_F(Cache, AReadOnlyPlaceIsNoticedBeforeAnythingElse) {
  ASSERT_TRUE(PrepareRepository(cache_));
  fs::permissions(temporary_.path(), fs::perms(0755));
  fs::permissions(cache_.blobs(), fs::perms(0555));
  const uid_t user = ::geteuid();
  // Root may write everywhere: be nobody for a moment.
  ASSERT_EQ(user == 0 ? ::seteuid(65534) : 0, 0);
  const Status status = PrepareRepository(cache_);
  ASSERT_EQ(user == 0 ? ::seteuid(0) : 0, 0);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(status.error().message.find("HF_HUB_CACHE"), std::string::npos);
}

TEST_F(Cache, TreeIsThatOfTheReferenceClient) {
  Listing listing{.repository = "org/name", .commit = kA};
  listing.files = {{.path = "sub/é.bin",
                    .size = 5,
                    .hash = {std::string(64, '1')},
                    .git_oid = std::string(40, '2'),
                    .xet_hash = std::string(64, '3')},
                   {.path = "config.json",
                    .size = 3,
                    .hash = {std::string(40, '4')},
                    .git_oid = std::string(40, '4'),
                    .xet_hash = "not hex"}};
  ASSERT_TRUE(WriteTree(cache_, listing));
  const std::string text = Read(cache_.tree(kA));
  EXPECT_EQ(text,
            fmt::format(
                "{{\n \"format_version\": 1,\n \"files\": {{\n"
                "  \"config.json\": {{\n   \"size\": 3,\n   \"blob_id\": \"{4}\"\n  }},\n"
                "  \"sub/\\u00e9.bin\": {{\n   \"size\": 5,\n   \"blob_id\": \"{2}\",\n"
                "   \"lfs_sha256\": \"{1}\",\n   \"lfs_size\": 5,\n   \"xet_hash\": \"{3}\"\n  }}\n }}\n}}",
                "", std::string(64, '1'), std::string(40, '2'), std::string(64, '3'), std::string(40, '4')));
  const Listing back = ReadTree(cache_, kA).value();
  ASSERT_EQ(back.files.size(), 2U);
  EXPECT_EQ(back.files[0].path, "config.json");
  EXPECT_EQ(back.files[1].hash, listing.files[0].hash);
  EXPECT_EQ(back.files[1].xet_hash, listing.files[0].xet_hash);
  // The same again: not written.
  const auto before = ModificationTime(cache_.tree(kA));
  ASSERT_TRUE(WriteTree(cache_, back));
  EXPECT_EQ(ModificationTime(cache_.tree(kA)), before);
}

TEST_F(Cache, DamagedTreesAreRefused) {
  const std::string h(40, '1');
  for (const std::string& text :
       {std::string("x"), std::string("[]"), std::string("{}"),
        std::string(R"({"format_version":2,"files":{}})"), std::string(R"({"format_version":1,"files":{}})"),
        std::string(R"({"format_version":1,"files":[]})"),
        fmt::format(R"({{"format_version":1,"files":{{"../x":{{"size":1,"blob_id":"{}"}}}}}})", h),
        fmt::format(R"({{"format_version":1,"files":{{"a":{{"size":-1,"blob_id":"{}"}}}}}})", h),
        fmt::format(R"({{"format_version":1,"files":{{"a":{{"size":1.5,"blob_id":"{}"}}}}}})", h),
        std::string(R"({"format_version":1,"files":{"a":{"size":1,"blob_id":"../../x"}}})"),
        std::string(R"({"format_version":1,"files":{"a":{"size":1}}})"),
        std::string(R"({"format_version":1,"files":{"a":7}})")}) {
    const auto files = ParseTree(text);
    ASSERT_FALSE(files) << text;
    EXPECT_EQ(files.error().code, ErrorCode::kDataLoss);
  }
  EXPECT_EQ(ReadTree(cache_, kA).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(ReadTree(cache_, "../../x"));
}

TEST_F(Cache, RefsAreBareAndNested) {
  ASSERT_TRUE(PrepareRepository(cache_));
  ASSERT_TRUE(PublishRef(cache_, "main", kA));
  EXPECT_EQ(Read(cache_.ref("main")), kA);
  ASSERT_TRUE(PublishRef(cache_, "refs/pr/1", kB));
  EXPECT_EQ(ReadRef(cache_, "refs/pr/1"), kB);
  ASSERT_TRUE(PublishRef(cache_, "main", kB));
  EXPECT_EQ(ReadRef(cache_, "main"), kB);
  ASSERT_TRUE(PublishRef(cache_, kA, kA));  // a commit needs none
  EXPECT_FALSE(fs::exists(cache_.ref(kA)));
  EXPECT_FALSE(PublishRef(cache_, "../../x", kA));
  EXPECT_FALSE(PublishRef(cache_, "main", "../.."));
  Write(cache_.ref("bad"), "../../../../etc");
  EXPECT_EQ(ReadRef(cache_, "bad"), std::nullopt);
  EXPECT_EQ(ReadRef(cache_, "../../x"), std::nullopt);
}

TEST_F(Cache, EntriesAreRelativeLinks) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a = Put("config.json", "abc", '1'), b = Put("x/y/model.bin", "model", '2');
  Publish(kA, {a, b});
  EXPECT_EQ(fs::read_symlink(cache_.snapshot(kA) / "config.json"), "../../blobs/" + a.hash.hex);
  EXPECT_EQ(fs::read_symlink(cache_.snapshot(kA) / "x/y/model.bin"), "../../../../blobs/" + b.hash.hex);
  EXPECT_EQ(Read(cache_.snapshot(kA) / "x/y/model.bin"), "model");
  EXPECT_EQ(FindContent(cache_, kA, a), cache_.blob(a.hash));
  FileEntry other_size = a;
  other_size.size = 4;
  EXPECT_EQ(FindContent(cache_, kA, other_size), std::nullopt);
  for (const auto& name : Everything()) EXPECT_EQ(name.find(".gptoss-"), name.npos) << name;
}

TEST_F(Cache, ACompleteSnapshotIsPublishedWithoutAWrite) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a = Put("x/config.json", "abc", '1');
  Publish(kA, {a});
  const auto before = ModificationTime(cache_.snapshot(kA) / "x"), folder = ModificationTime(cache_.folder());
  Publish(kA, {a});
  EXPECT_EQ(ModificationTime(cache_.snapshot(kA) / "x"), before);
  EXPECT_EQ(ModificationTime(cache_.folder()), folder);
}

TEST_F(Cache, AnEntryThatPointsElsewhereIsMadeAnew) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a = Put("config.json", "abc", '1');
  Write(temporary_.path() / "foreign", "abc");
  fs::create_directories(cache_.snapshot(kA));
  fs::create_symlink(temporary_.path() / "foreign", cache_.snapshot(kA) / "config.json");
  Publish(kA, {a});
  EXPECT_EQ(fs::read_symlink(cache_.snapshot(kA) / "config.json"), "../../blobs/" + a.hash.hex);
  EXPECT_EQ(Read(temporary_.path() / "foreign"), "abc");
  // A dangling one, and a folder in its place.
  fs::remove(cache_.snapshot(kA) / "config.json");
  fs::create_symlink("nowhere", cache_.snapshot(kA) / "config.json");
  Publish(kA, {a});
  fs::remove(cache_.snapshot(kA) / "config.json");
  fs::create_directories(cache_.snapshot(kA) / "config.json");
  EXPECT_EQ(PublishSnapshot(cache_, kA, {a}, true).error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(Cache, AFolderOfTheSnapshotThatIsALinkIsRefused) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a = Put("sub/config.json", "abc", '1');
  fs::create_directories(cache_.snapshot(kA));
  fs::create_directories(temporary_.path() / "outside");
  fs::create_directory_symlink(temporary_.path() / "outside", cache_.snapshot(kA) / "sub");
  EXPECT_EQ(PublishSnapshot(cache_, kA, {a}, true).error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(fs::is_empty(temporary_.path() / "outside"));
}

TEST_F(Cache, WithoutBlobNothingIsPublished) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a{.path = "a", .size = 3, .hash = {std::string(64, '1')}};
  EXPECT_EQ(PublishSnapshot(cache_, kA, {a}, true).error().code, ErrorCode::kFailedPrecondition);
  EXPECT_FALSE(fs::exists(cache_.snapshot(kA)));
}

TEST_F(Cache, WithoutLinksBlobsAreMovedAsTheReferenceClientDoes) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a = Put("a", "abc", '1');
  FileEntry twin = a;
  twin.path = "b/a";
  Publish(kA, {a, twin}, false);
  EXPECT_TRUE(fs::is_empty(cache_.blobs()));
  EXPECT_FALSE(fs::is_symlink(cache_.snapshot(kA) / "a"));
  EXPECT_EQ(Read(cache_.snapshot(kA) / "a"), "abc");
  EXPECT_EQ(Read(cache_.snapshot(kA) / "b/a"), "abc");
  EXPECT_EQ(FindContent(cache_, kA, a), cache_.snapshot(kA) / "a");
  Publish(kA, {a, twin}, false);
  Publish(kA, {a, twin}, true);  // placed files are left as they are
  EXPECT_FALSE(fs::is_symlink(cache_.snapshot(kA) / "a"));
}

TEST_F(Cache, WithoutLinksABlobThatAnotherRevisionLinksToStays) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a = Put("a", "abc", '1');
  Publish(kA, {a}, true);
  Publish(kB, {a}, false);
  EXPECT_TRUE(fs::exists(cache_.blob(a.hash)));
  EXPECT_EQ(Read(cache_.snapshot(kA) / "a"), "abc");
  EXPECT_FALSE(fs::is_symlink(cache_.snapshot(kB) / "a"));
}

TEST_F(Cache, TheSharedStoreIsFollowedTwoHopsAndNothingElse) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const std::string xet(64, '9');
  const FileEntry a = Put("a", "abc", '1', root_ / "blobs/99" / xet);
  fs::create_symlink("../../blobs/99/" + xet, cache_.blob(a.hash));
  EXPECT_EQ(FindContent(cache_, kA, a), fs::canonical(root_ / "blobs/99" / xet));
  Publish(kA, {a});
  EXPECT_EQ(Read(cache_.snapshot(kA) / "a"), "abc");
  // Deleting takes the link and leaves the payload.
  const DeletionPlan plan = PlanDeletion(cache_, kA).value();
  EXPECT_EQ(plan.kept_bytes, 3U);
  ASSERT_TRUE(Delete(plan));
  EXPECT_EQ(Read(root_ / "blobs/99" / xet), "abc");
  // A blob that is a link to somewhere else is no blob.
  ASSERT_TRUE(PrepareRepository(cache_));
  Write(temporary_.path() / "foreign", "abc");
  fs::create_symlink(temporary_.path() / "foreign", cache_.blob(a.hash));
  EXPECT_EQ(FindContent(cache_, kA, a), std::nullopt);
}

TEST_F(Cache, ScanFindsWhatIsWellFormed) {
  ASSERT_TRUE(PrepareRepository(cache_));
  Publish(kA, {Put("a", "abc", '1')});
  ASSERT_TRUE(PublishRef(cache_, "main", kA));
  ASSERT_TRUE(PublishRef(cache_, "refs/pr/1", kA));
  fs::create_directories(root_ / "models--org--name/snapshots/not-a-commit");
  fs::create_directories(root_ / "models--..--evil/snapshots" / kA);
  fs::create_directories(root_ / "datasets--org--name/snapshots" / kA);
  fs::create_directories(root_ / "models--gpt2/snapshots" / kB);
  const auto found = ScanCache(root_);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].repository, "gpt2");
  EXPECT_EQ(found[1].repository, "org/name");
  EXPECT_EQ(found[1].refs, (std::vector<std::string>{"main", "refs/pr/1"}));
  EXPECT_EQ(found[1].folder, cache_.snapshot(kA));
  EXPECT_TRUE(ScanCache(temporary_.path() / "nowhere").empty());
}

TEST_F(Cache, DeletingARevisionLeavesWhatTheOtherNeeds) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry shared = Put("shared", "shared!", '1'), old = Put("x/old", "old", '2'),
                  fresh = Put("new", "new", '3');
  Publish(kA, {shared, old});
  Publish(kB, {shared, fresh});
  ASSERT_TRUE(PublishRef(cache_, "pr/old", kA));
  ASSERT_TRUE(PublishRef(cache_, "main", kB));
  Write(cache_.blobs() / (std::string(64, '7') + ".gptoss-part"), "partial");       // of no listed commit
  Write(cache_.blobs() / (fresh.hash.hex + ".gptoss-part"), "partial");             // of the other one
  Write(cache_.blobs() / (std::string(64, '7') + ".abcdef01.incomplete"), "hf's");  // of another tool
  const DeletionPlan plan = PlanDeletion(cache_, kA).value();
  EXPECT_TRUE(fs::exists(cache_.blob(old.hash)));  // a plan deletes nothing
  EXPECT_EQ(plan.freed_bytes, 3U + 7U + fs::file_size(cache_.tree(kA)) + 40U);
  EXPECT_EQ(plan.kept_bytes, 7U);
  ASSERT_TRUE(Delete(plan));
  const std::string m = "models--org--name/";
  std::vector<std::string> left = {"CACHEDIR.TAG",
                                   m + "blobs/" + shared.hash.hex,
                                   m + "blobs/" + fresh.hash.hex,
                                   m + "blobs/" + fresh.hash.hex + ".gptoss-part",
                                   m + "blobs/" + std::string(64, '7') + ".abcdef01.incomplete",
                                   m + "refs/main",
                                   m + "snapshots/" + kB + "/new",
                                   m + "snapshots/" + kB + "/shared",
                                   m + "trees/" + kB + ".json"};
  std::ranges::sort(left);
  EXPECT_EQ(Everything(), left);
  EXPECT_FALSE(fs::exists(cache_.refs() / "pr"));
  EXPECT_EQ(Read(cache_.snapshot(kB) / "shared"), "shared!");
}

TEST_F(Cache, DeletingTheLastRevisionLeavesNothing) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a = Put("a", "abc", '1');
  Publish(kA, {a});
  ASSERT_TRUE(PublishRef(cache_, "main", kA));
  Write(cache_.blobs() / (std::string(64, '7') + ".gptoss-part"), "partial");
  Write(cache_.blobs() / "orphan", "orphan");
  const DeletionPlan plan = PlanDeletion(cache_, kA).value();
  EXPECT_EQ(plan.freed_bytes, 3U + 7U + 6U + 40U + fs::file_size(cache_.tree(kA)));
  ASSERT_TRUE(Delete(plan));
  EXPECT_FALSE(fs::exists(cache_.folder()));
  EXPECT_EQ(PlanDeletion(cache_, kA).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(PlanDeletion(cache_, "../..").error().code, ErrorCode::kNotFound);
}

TEST_F(Cache, ADownloadThatRunsKeepsItsPartial) {
  ASSERT_TRUE(PrepareRepository(cache_));
  Publish(kA, {Put("a", "abc", '1')});
  const ContentHash running{std::string(64, '7')};
  Write(cache_.blobs() / (running.hex + ".gptoss-part"), "partial");
  const auto lock = FileLock::Acquire(cache_.lock(running));
  ASSERT_TRUE(lock);
  ASSERT_TRUE(Delete(PlanDeletion(cache_, kA).value()));
  EXPECT_EQ(Read(cache_.blobs() / (running.hex + ".gptoss-part")), "partial");
  EXPECT_FALSE(fs::exists(cache_.snapshot(kA)));
  EXPECT_TRUE(fs::is_directory(cache_.snapshots()));
}

TEST_F(Cache, FilesThatAnotherModelNeedsStay) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry q4 = Put("q4.gguf", "four", '1'), q8 = Put("x/q8.gguf", "eight", '2');
  Publish(kA, {q4, q8});
  ASSERT_TRUE(PublishRef(cache_, "main", kA));
  const DeletionPlan plan = PlanDeletion(cache_, kA, {"q4.gguf"}).value();
  EXPECT_EQ(plan.freed_bytes, 5U);
  ASSERT_TRUE(Delete(plan));
  EXPECT_EQ(Read(cache_.snapshot(kA) / "q4.gguf"), "four");
  EXPECT_FALSE(fs::exists(cache_.snapshot(kA) / "x"));
  EXPECT_FALSE(fs::exists(cache_.blob(q8.hash)));
  EXPECT_EQ(ReadRef(cache_, "main"), kA);
}

TEST_F(Cache, ABlobWithAnotherNameElsewhereFreesNothing) {
  ASSERT_TRUE(PrepareRepository(cache_));
  const FileEntry a = Put("a", "abcd", '1');
  fs::create_hard_link(cache_.blob(a.hash), temporary_.path() / "theirs");
  Publish(kA, {a});
  const DeletionPlan plan = PlanDeletion(cache_, kA).value();
  EXPECT_EQ(plan.kept_bytes, 4U);
  EXPECT_EQ(plan.freed_bytes, fs::file_size(cache_.tree(kA)));
  ASSERT_TRUE(Delete(plan));
  EXPECT_EQ(Read(temporary_.path() / "theirs"), "abcd");
}

TEST_F(Cache, AMappedModelSurvivesItsDeletion) {
  ASSERT_TRUE(PrepareRepository(cache_));
  Publish(kA, {Put("a", "mapped content", '1')});
  const auto mapped = MappedFile::Open(cache_.snapshot(kA) / "a").value();
  ASSERT_TRUE(Delete(PlanDeletion(cache_, kA).value()));
  EXPECT_EQ(mapped->text(), "mapped content");
}

TEST_F(Cache, ForeignLinksInASnapshotAreNotFollowedByDeleting) {
  ASSERT_TRUE(PrepareRepository(cache_));
  Publish(kA, {Put("a", "abc", '1')});
  Write(temporary_.path() / "precious/file", "precious");
  fs::create_directory_symlink(temporary_.path() / "precious", cache_.snapshot(kA) / "link");
  fs::create_symlink(temporary_.path() / "precious/file", cache_.snapshot(kA) / "file");
  ASSERT_TRUE(Delete(PlanDeletion(cache_, kA).value()));
  EXPECT_EQ(Read(temporary_.path() / "precious/file"), "precious");
  // blobs/ itself a link: refused.
  ASSERT_TRUE(PrepareRepository(cache_));
  Publish(kA, {Put("a", "abc", '1')});
  fs::remove_all(cache_.blobs());
  fs::create_directory_symlink(temporary_.path() / "precious", cache_.blobs());
  EXPECT_EQ(PlanDeletion(cache_, kA).error().code, ErrorCode::kPermissionDenied);
}

TEST_F(Cache, TemporariesOfDeadProcessesGo) {
  ASSERT_TRUE(PrepareRepository(cache_));
  Publish(kA, {Put("a", "abc", '1')});
  Publish(kB, {Put("a", "abc", '1')});
  Write(cache_.folder() / ".gptoss-ref-999999999-0abc", "dead");
  const fs::path alive = cache_.folder() / fmt::format(".gptoss-ref-{}-0abc", ::getpid());
  Write(alive, "alive");
  ASSERT_TRUE(Delete(PlanDeletion(cache_, kA).value()));
  EXPECT_FALSE(fs::exists(cache_.folder() / ".gptoss-ref-999999999-0abc"));
  EXPECT_TRUE(fs::exists(alive));
}

TEST_F(Cache, FilesOfOtherToolsAreFound) {
  const std::string big(1'500'000, 'x');
  const FileEntry wanted{.path = "model.gguf", .size = big.size(), .hash = {std::string(64, '1')}};
  const FileEntry small{.path = "config.json", .size = 3, .hash = {std::string(40, '2')}};
  const fs::path t = temporary_.path();
  Write(t / "ollama/blobs" / ("sha256-" + wanted.hash.hex), big);
  Write(t / "lm/org/repo/model.gguf", big);
  Write(t / "lm/org/repo/config.json", "abc");  // too small to be taken by its size
  Write(t / "llama/org_repo_model.gguf", big);
  Write(t / "llama/shorter.gguf", big.substr(1));
  Write(root_ / "models--other--repo/blobs" / wanted.hash.hex, big);
  Write(root_ / "models--other--repo/blobs" / small.hash.hex, "abc");
  Write(root_ / "models--plain--files/snapshots" / kA / "model.gguf", big);
  LocalFolders folders{
      .hub_caches = {root_}, .ollama = {t / "ollama"}, .lm_studio = {t / "lm"}, .llama_cpp = {t / "llama"}};
  std::vector<std::string> owners;
  for (const auto& [path, found] : FindLocalFiles({wanted, small}, folders))
    owners.push_back(fmt::format("{} {} {}", path, found.owner, found.named_by_hash));
  EXPECT_EQ(owners, (std::vector<std::string>{"model.gguf other/repo true", "model.gguf Ollama true",
                                              "model.gguf plain/files false", "model.gguf LM Studio false",
                                              "config.json other/repo true"}));
  EXPECT_TRUE(FindLocalFiles({wanted}, {}).empty());
}

TEST_F(Cache, ContentIsSharedWithoutASecondCopyWherePossible) {
  fs::create_directories(root_);
  Write(root_ / "from", "content");
  const auto linked = ShareFile(root_ / "from", root_ / "linked", true);
  ASSERT_TRUE(linked);
  EXPECT_NE(*linked, Shared::kCopied);
  const auto own = ShareFile(root_ / "from", root_ / "own", false);
  ASSERT_TRUE(own);
  EXPECT_NE(*own, Shared::kLinked);
  EXPECT_EQ(Read(root_ / "own"), "content");
  EXPECT_FALSE(ShareFile(root_ / "from", root_ / "own", true));  // never over something
  fs::create_symlink("from", root_ / "link");
  EXPECT_FALSE(ShareFile(root_ / "link", root_ / "more", true));
  CancelSource cancel;
  cancel.Cancel();
  ASSERT_FALSE(CopyRange(root_ / "from", 0, 7, root_ / "part", cancel.token()));
  EXPECT_FALSE(fs::exists(root_ / "part"));
  EXPECT_EQ(CopyRange(root_ / "from", 4, 9, root_ / "part", {}).error().code, ErrorCode::kDataLoss);
  EXPECT_FALSE(fs::exists(root_ / "part"));
  ASSERT_TRUE(CopyRange(root_ / "from", 3, 4, root_ / "part", {}));
  EXPECT_EQ(Read(root_ / "part"), "tent");
}

TEST_F(Cache, FreeSpaceOfAFolderThatIsNotThereYet) {
  EXPECT_GT(FreeBytes(root_ / "a/b/c"), 0U);
  EXPECT_EQ(FreeBytes(root_ / "a/b/c") == 0, FreeBytes(temporary_.path()) == 0);
}

}  // namespace
}  // namespace gptoss::hub
