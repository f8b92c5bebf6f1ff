#include "hub/transfer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "hub/journal.h"
#include "hub/testing/content.h"
#include "net/testing/test_server.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;
using net::testing::ServeContent;
using net::testing::TestRequest;
using net::testing::TestResponse;
using net::testing::TestServer;

std::string MadeUp(std::size_t size, std::uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& c : bytes) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return bytes;
}

// A Hub that only knows where files are: at the test's server, by path.
class FakeClient : public HubClient {
 public:
  explicit FakeClient(TestServer& server) : server_(server) {
    set.endpoint = server.url();
    set.retry_limit = 3;
    set.retry_base = std::chrono::milliseconds(5);
    set.stall_timeout = std::chrono::milliseconds(500);
    set.max_connections = 4;
    set.trial_time = std::chrono::milliseconds(60);
    set.part_bytes = 1ULL << 40;  // one connection a file
    set.min_rate_bytes = 0;
    http_ = *net::HttpClient::Create({});
  }
  const HubOptions& options() const override { return set; }
  void ObserveWaits(WaitObserver) override {}
  Result<std::string> ResolveCommit(const std::string&, const std::string&, const CancelToken&) override {
    return std::string(40, '0');
  }
  Result<Listing> List(const std::string&, const std::string&, const CancelToken&) override {
    return Listing{};
  }
  Result<FileLocation> Locate(const std::string&, const std::string& commit, const FileEntry& file,
                              const CancelToken&) override {
    ++located;
    return FileLocation{.url = server_.url("/" + file.path + "?v=" + std::to_string(located)),
                        .size = file.size,
                        .hash = file.hash,
                        .commit = commit};
  }
  net::HttpClient& http() override { return *http_; }

  HubOptions set;
  std::atomic<int> located{0};

 private:
  TestServer& server_;
  std::unique_ptr<net::HttpClient> http_;
};

class TransferTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    folder_ = fs::temp_directory_path() / ("gptoss_transfer_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "blobs");
    server_ = std::make_unique<TestServer>([this](const TestRequest& request) {
      const std::string& content = files_.at(request.target.substr(1, request.target.find('?') - 1));
      std::function<TestResponse(const TestRequest&, TestResponse, int)> fault;
      int turn = 0;
      {
        const std::lock_guard lock(mutex_);
        fault = fault_;
        turn = ++turns_;
      }
      TestResponse response = ServeContent(request, content);
      return fault ? fault(request, std::move(response), turn) : response;
    });
    client_ = std::make_unique<FakeClient>(*server_);
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(folder_);
  }

  BlobJob Job(const std::string& name, const std::string& content, bool sha256 = true) {
    files_[name] = content;
    BlobJob job;
    job.file = {.path = name, .size = content.size(), .hash = HashOf(content, sha256)};
    job.blob = folder_ / "blobs" / job.file.hash.hex;
    job.lock = folder_ / ".locks" / (job.file.hash.hex + ".lock");
    return job;
  }
  Status Fetch(const std::vector<BlobJob>& jobs, const ProgressObserver& observer = {},
               const CancelToken& cancel = {}) {
    {
      const std::lock_guard lock(mutex_);
      turns_ = 0;
    }
    return FetchBlobs(*client_, "org/name", std::string(40, '0'), jobs, observer, pause_, cancel);
  }
  void Fault(std::function<TestResponse(const TestRequest&, TestResponse, int)> fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  static std::string Read(const fs::path& path) { return ReadFile(path).value_or("(none)"); }
  std::vector<std::string> InBlobs() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / "blobs"))
      names.push_back(entry.path().filename());
    return names;
  }
  // The whole way: the blob is right, and nothing else lies about.
  void ExpectWhole(const BlobJob& job, const Status& status) {
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_TRUE(Read(job.blob) == files_[job.file.path]);
    EXPECT_EQ(InBlobs(), std::vector<std::string>{job.file.hash.hex});
  }
  fs::path Part(const BlobJob& job) const { return job.blob.string() + ".gptoss-part"; }
  fs::path JournalOf(const BlobJob& job) const { return job.blob.string() + ".gptoss-journal"; }
  // Runs until `bytes` have come, then stops. What is kept is on the disk.
  void FetchSome(const BlobJob& job, std::uint64_t bytes) {
    Fault([bytes](const TestRequest&, TestResponse response, int turn) {
      if (turn == 1) {
        response.stop_after = bytes;
      } else {
        response.raw = "\r\n";
      }
      return response;
    });
    const Status status = Fetch({job});
    ASSERT_FALSE(status);
    EXPECT_EQ(DurableBytes(std::vector{job}), bytes);
    Fault({});
  }

  fs::path folder_;
  std::mutex mutex_;
  std::map<std::string, std::string> files_;
  std::function<TestResponse(const TestRequest&, TestResponse, int)> fault_;
  int turns_ = 0;
  PauseControl pause_;
  std::unique_ptr<TestServer> server_;
  std::unique_ptr<FakeClient> client_;
};

TEST_F(TransferTest, BringsFilesOfEverySize) {
  std::vector<BlobJob> jobs = {Job("empty", "", false), Job("config.json", "{}", false),
                               Job("large", MadeUp(9'000'001, 1)), Job("exact", MadeUp(1 << 20, 2))};
  for (int i = 0; i < 20; ++i)
    jobs.push_back(Job("small" + std::to_string(i), MadeUp(1000 + i, 3 + i), false));
  jobs.push_back(Job("twin", files_["large"]));
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  for (const BlobJob& job : jobs) total += job.file.size;
  TransferProgress final_progress;
  const Status status = Fetch(jobs, [&](const TransferProgress& progress) {
    EXPECT_GE(progress.done_bytes, last);
    EXPECT_EQ(progress.total_bytes, total);
    last = progress.done_bytes;
    final_progress = progress;
  });
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(final_progress.done_bytes, total);
  EXPECT_EQ(final_progress.files_done, static_cast<int>(jobs.size()));
  for (const BlobJob& job : jobs) EXPECT_TRUE(Read(job.blob) == files_[job.file.path]) << job.file.path;
  EXPECT_EQ(InBlobs().size(), jobs.size() - 1);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat info{};
  ::stat(jobs[2].blob.c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0666U & ~mask);
  ::stat(jobs[2].lock.c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0664U);
  const std::size_t requests = server_->requests().size();
  ASSERT_TRUE(Fetch(jobs));
  EXPECT_EQ(server_->requests().size(), requests) << "a second time asks nothing";
}

TEST_F(TransferTest, SharesALargeFileBetweenConnections) {
  const BlobJob job = Job("large", MadeUp(8 << 20, 7));
  client_->set.part_bytes = 64 * 1024;
  Fault([](const TestRequest&, TestResponse response, int) {
    response.pause_bytes = 100'000;
    response.pause_ms = 5;
    return response;
  });
  int most = 0;
  ExpectWhole(job, Fetch({job}, [&](const TransferProgress& p) { most = std::max(most, p.connections); }));
  EXPECT_GE(most, 2);
  EXPECT_GE(server_->connections(), 2);
}

TEST_F(TransferTest, GoesOnAtTheExactByteAfterCutsAndResets) {
  for (const bool reset : {false, true}) {
    const BlobJob job = Job(reset ? "reset" : "cut", MadeUp(1'000'000, 8));
    const std::size_t before = server_->requests().size();
    Fault([&](const TestRequest&, TestResponse response, int) {
      response.stop_after = 99'999;
      response.reset = reset;
      response.hold_ms = reset ? 20 : 0;  // so that the bytes are read before the reset drops them
      return response;
    });
    const Status status = Fetch({job});
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_TRUE(Read(job.blob) == files_[job.file.path]);
    if (reset) continue;
    const auto requests = server_->requests();
    for (std::size_t i = before + 1; i < requests.size(); ++i) {
      EXPECT_EQ(requests[i].headers.at("range"),
                "bytes=" + std::to_string((i - before) * 99'999) + "-999999");
    }
  }
}

TEST_F(TransferTest, GivesUpAfterTheBoundAndKeepsWhatCame) {
  const BlobJob job = Job("file", MadeUp(300'000, 9));
  FetchSome(job, 70'000);
  Fault([](const TestRequest&, TestResponse response, int) {
    response.stop_after = 0;
    return response;
  });
  const Status status = Fetch({job});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(status.error().message.find("70000 of 300000 bytes are kept"), std::string::npos)
      << status.error().message;
  EXPECT_EQ(turns_, 4);
  Fault({});
  ExpectWhole(job, Fetch({job}));
  EXPECT_EQ(server_->requests().back().headers.at("range"), "bytes=70000-299999");
}

TEST_F(TransferTest, ASilentConnectionIsOpenedAnew) {
  const BlobJob job = Job("file", MadeUp(300'000, 10));
  Fault([](const TestRequest&, TestResponse response, int turn) {
    if (turn == 1) response.stop_after = 1000, response.hold_ms = 60'000;
    return response;
  });
  ExpectWhole(job, Fetch({job}));
  EXPECT_EQ(server_->requests().back().headers.at("range"), "bytes=1000-299999");
}

TEST_F(TransferTest, ATricklingConnectionIsOpenedAnew) {
  const BlobJob job = Job("file", MadeUp(300'000, 11));
  client_->set.stall_timeout = std::chrono::milliseconds(100);
  client_->set.min_rate_bytes = 100'000;
  Fault([](const TestRequest&, TestResponse response, int turn) {
    if (turn == 1) response.pause_bytes = 10, response.pause_ms = 10;
    return response;
  });
  ExpectWhole(job, Fetch({job}));
  EXPECT_GE(server_->requests().size(), 2U);
}

TEST_F(TransferTest, PassesOverWhatItHasWhereRangesAreIgnored) {
  const BlobJob job = Job("file", MadeUp(3'000'000, 12));
  FetchSome(job, 1'500'000);
  Fault([&](const TestRequest& request, TestResponse, int) {
    TestRequest plain = request;
    plain.headers.erase("range");
    return ServeContent(plain, files_["file"]);
  });
  ExpectWhole(job, Fetch({job}));
}

TEST_F(TransferTest, RefusesPartsThatWereNotAskedFor) {
  const BlobJob job = Job("file", MadeUp(3'000'000, 13));
  for (const bool lie : {false, true}) {
    fs::remove(job.blob);
    FetchSome(job, 1'000'000);
    Fault([&](const TestRequest& request, TestResponse response, int) {
      if (response.status != 206) return response;
      if (lie) {
        response.headers = {{"Content-Range", "bytes 1000001-2999999/3000000"}};
      } else {  // 206 from byte 0
        TestRequest from_zero = request;
        from_zero.headers["range"] = "bytes=0-1999999";
        response = ServeContent(from_zero, files_["file"]);
      }
      return response;
    });
    ExpectWhole(job, Fetch({job}));
  }
}

TEST_F(TransferTest, StartsOnceMoreAfter416) {
  const BlobJob job = Job("file", MadeUp(3'000'000, 14));
  FetchSome(job, 1'000'000);
  Fault([](const TestRequest& request, TestResponse response, int) {
    if (!request.headers.contains("range")) return response;
    response.status = 416;
    response.body.clear();
    response.headers = {{"Content-Range", "bytes */3000000"}};
    return response;
  });
  ExpectWhole(job, Fetch({job}));
}

TEST_F(TransferTest, AsksForANewAddressWhenTheOldOneRanOut) {
  const BlobJob job = Job("file", MadeUp(500'000, 15));
  Fault([](const TestRequest& request, TestResponse response, int) {
    if (request.target.ends_with("v=1")) {
      if (!request.headers.contains("range")) {
        response.stop_after = 200'000;
      } else {
        return TestResponse{.status = 403};
      }
    }
    return response;
  });
  ExpectWhole(job, Fetch({job}));
  EXPECT_EQ(client_->located, 2);
  EXPECT_EQ(server_->requests().back().headers.at("range"), "bytes=200000-499999");
  Fault([](const TestRequest&, TestResponse, int) { return TestResponse{.status = 403}; });
  const BlobJob other = Job("other", "never");
  const Status status = Fetch({other});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(TransferTest, RefusesAFileOfAnotherSize) {
  for (const int change : {-5, 5}) {
    const BlobJob job = Job("file" + std::to_string(change), MadeUp(100'000, 16));
    Fault([&](const TestRequest&, TestResponse response, int) {
      response.body.resize(response.body.size() + static_cast<std::size_t>(change));
      return response;
    });
    const Status status = Fetch({job});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kDataLoss) << status.error().message;
    EXPECT_FALSE(fs::exists(job.blob));
  }
}

TEST_F(TransferTest, FetchesAWrongCopyOnceMoreOverAFreshConnection) {
  const BlobJob job = Job("file", MadeUp(3'000'000, 17));
  Fault([](const TestRequest&, TestResponse response, int turn) {
    if (turn == 1) response.body[1'500'000] ^= 1;
    return response;
  });
  ExpectWhole(job, Fetch({job}));
  const auto requests = server_->requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_NE(requests[0].connection, requests[1].connection);
}

TEST_F(TransferTest, SaysWhereTwoWrongCopiesDiffered) {
  const BlobJob job = Job("file", MadeUp(3'000'000, 18));
  for (const bool same : {true, false}) {
    Fault([&](const TestRequest&, TestResponse response, int turn) {
      response.body[same || turn == 1 ? 1'500'000 : 2'500'000] ^= 1;
      return response;
    });
    const Status status = Fetch({job});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kDataLoss);
    EXPECT_NE(status.error().message.find(same ? "both copies had the same bytes" : "1048576-2999999"),
              std::string::npos)
        << status.error().message;
    EXPECT_EQ(turns_, 2);
    EXPECT_TRUE(InBlobs().empty());
  }
}

TEST_F(TransferTest, DamagedBytesOnTheDiskAreFetchedAgainAndOnlyThose) {
  const BlobJob job = Job("file", MadeUp(6 << 20, 19));
  FetchSome(job, 5 << 20);
  {
    std::fstream part(Part(job), std::ios::in | std::ios::out | std::ios::binary);
    part.seekp((2 << 20) + 12345);
    part.put('?');
  }
  const std::uint64_t before = server_->body_bytes_sent();
  ExpectWhole(job, Fetch({job}));
  EXPECT_EQ(server_->body_bytes_sent() - before,
            (1U << 20) + (256U << 10));  // the last of six, a block of the third
}

TEST_F(TransferTest, AnUnreadableJournalCostsTheBytesButNotTheFile) {
  const BlobJob job = Job("file", MadeUp(3 << 20, 20));
  for (const bool gone : {false, true}) {
    fs::remove(job.blob);
    FetchSome(job, 2 << 20);
    gone ? fs::remove(JournalOf(job)) : WriteFileAtomic(JournalOf(job), "gptossJ2 nonsense").has_value();
    EXPECT_EQ(DurableBytes(std::vector{job}), 0U);
    ExpectWhole(job, Fetch({job}));
  }
  FetchSome(Job("other", MadeUp(3 << 20, 21)), 1 << 20);
}

TEST_F(TransferTest, APartialShorterThanItsJournalSaysIsUsedAsFarAsItGoes) {
  const BlobJob job = Job("file", MadeUp(4 << 20, 22));
  FetchSome(job, 3 << 20);
  fs::resize_file(Part(job), (1 << 20) + 5);
  EXPECT_EQ(DurableBytes(std::vector{job}), 1U << 20);
  ExpectWhole(job, Fetch({job}));
  EXPECT_EQ(server_->requests().back().headers.at("range"), "bytes=1048576-4194303");
}

TEST_F(TransferTest, NeverWritesThroughLinks) {
  const BlobJob job = Job("file", MadeUp(100'000, 23));
  const fs::path victim = folder_ / "victim";
  ASSERT_TRUE(WriteFileAtomic(victim, "precious"));
  fs::create_symlink(victim, Part(job));
  fs::create_hard_link(victim, JournalOf(job));
  ExpectWhole(job, Fetch({job}));
  EXPECT_EQ(Read(victim), "precious");
  fs::remove_all(folder_ / "blobs");
  fs::create_directories(folder_ / "elsewhere");
  fs::create_directory_symlink(folder_ / "elsewhere", folder_ / "blobs");
  const Status status = Fetch({job});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPermissionDenied) << status.error().message;
  EXPECT_TRUE(fs::is_empty(folder_ / "elsewhere"));
}

TEST_F(TransferTest, WaitsForWhoeverHoldsTheLockAndTakesTheBlob) {
  const BlobJob job = Job("file", "content of another process");
  fs::create_directories(job.lock.parent_path());
  const int fd = ::open(job.lock.c_str(), O_RDWR | O_CREAT, 0664);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  std::atomic<bool> waited{false};
  std::thread other([&] {
    while (!waited) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(WriteFileAtomic(job.blob, files_["file"]));
    ::close(fd);
  });
  const Status status = Fetch({job}, [&](const TransferProgress& progress) {
    if (progress.state == "waiting for another process") waited = true;
  });
  other.join();
  ExpectWhole(job, status);
  EXPECT_TRUE(server_->requests().empty());
}

TEST_F(TransferTest, TwoAtOnceFetchOnce) {
  const BlobJob job = Job("file", MadeUp(2'000'000, 24));
  Status first;
  std::thread other([&] {
    FakeClient own(*server_);
    first = FetchBlobs(own, "org/name", std::string(40, '0'), std::vector{job}, {}, pause_, {});
  });
  const Status second = Fetch({job});
  other.join();
  EXPECT_TRUE(first);
  ExpectWhole(job, second);
  EXPECT_EQ(server_->body_bytes_sent(), job.file.size);
}

TEST_F(TransferTest, CancelKeepsAndDropRemoves) {
  const BlobJob job = Job("file", MadeUp(3'000'000, 25));
  Fault([](const TestRequest&, TestResponse response, int) {
    response.stop_after = 1'200'000;
    response.hold_ms = 60'000;
    return response;
  });
  client_->set.stall_timeout = std::chrono::hours(1);
  CancelSource source;
  std::thread stopper([&] {
    while (DurableBytes(std::vector{job}) < 1 << 20)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    source.Cancel();
  });
  const Status status = Fetch({job}, {}, source.token());
  stopper.join();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_GE(DurableBytes(std::vector{job}), 1U << 20);
  ASSERT_TRUE(DropPartials(std::vector{job}));
  EXPECT_TRUE(InBlobs().empty());
  EXPECT_EQ(DurableBytes(std::vector{job}), 0U);
}

TEST_F(TransferTest, PausesAndGoesOn) {
  const BlobJob job = Job("file", MadeUp(2'000'000, 26));
  Fault([](const TestRequest&, TestResponse response, int) {
    response.pause_bytes = 20'000;
    response.pause_ms = 1;
    return response;
  });
  std::atomic<bool> done{false};
  std::atomic<int> paused_reports{0};
  std::thread control([&] {
    while (server_->body_bytes_sent() < 500'000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    pause_.Pause();
    while (paused_reports < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(done);
    EXPECT_GE(DurableBytes(std::vector{job}), 100'000U);
    pause_.Resume();
  });
  const Status status = Fetch({job}, [&](const TransferProgress& progress) {
    if (progress.state == "paused" && progress.connections == 0) ++paused_reports;
  });
  done = true;
  control.join();
  ExpectWhole(job, status);
}

TEST_F(TransferTest, AFileLimitStopsWithTheBytesNeeded) {
  const BlobJob job = Job("file", MadeUp(3'000'000, 27));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{1'000'000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  const Status status = Fetch({job});
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(status.error().message.find("3000000 more bytes"), std::string::npos) << status.error().message;
  ExpectWhole(job, Fetch({job}));
}

TEST_F(TransferTest, ObeysAndBoundsRequestsToWait) {
  const BlobJob job = Job("file", "x");
  Fault([](const TestRequest&, TestResponse response, int turn) {
    if (turn > 2) return response;
    return TestResponse{.status = turn == 1 ? 429 : 503, .headers = {{"Retry-After", "0"}}};
  });
  ExpectWhole(job, Fetch({job}));
  fs::remove(job.blob);
  Fault([](const TestRequest&, TestResponse, int) {
    return TestResponse{.status = 429, .headers = {{"RateLimit", "\"cdn\";r=0;t=7200"}}};
  });
  const Status status = Fetch({job});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(status.error().message.find("121 minutes"), std::string::npos) << status.error().message;
}

TEST_F(TransferTest, ReplacesADamagedBlobOnlyByAWholeOne) {
  BlobJob job = Job("file", MadeUp(100'000, 28));
  ASSERT_TRUE(WriteFileAtomic(job.blob, std::string(100'000, 'x')));
  job.replace = true;
  Fault([](const TestRequest&, TestResponse response, int) {
    response.stop_after = 0;
    return response;
  });
  EXPECT_FALSE(Fetch({job}));
  EXPECT_EQ(Read(job.blob), std::string(100'000, 'x'));
  Fault({});
  ExpectWhole(job, Fetch({job}));
}

TEST_F(TransferTest, OfflineAsksNobody) {
  client_->set.offline = true;
  const BlobJob job = Job("file", "x");
  const Status status = Fetch({job});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(server_->connections(), 0);
  ASSERT_TRUE(WriteFileAtomic(job.blob, "x"));
  EXPECT_TRUE(Fetch({job}));
}

}  // namespace
}  // namespace gptoss::hub
