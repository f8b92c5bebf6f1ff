#include "provider/agent_provider.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "provider/testing/provider_fixture.h"

namespace gptoss {
namespace {

using namespace std::chrono_literals;
using harmony::Conversation;
using testing::kHello;
using testing::ProviderTest;
using testing::Reader;
using State = ModelState;

// Threads or open files of this process; 0 where there is no such folder.
std::ptrdiff_t EntriesOf(const char* folder) {
  std::error_code none;
  return std::distance(std::filesystem::directory_iterator(folder, none),
                       std::filesystem::directory_iterator{});
}

TEST_F(ProviderTest, ATurnLoadsStreamsAndTellsUsage) {
  Say(kHello);
  Start();
  EXPECT_EQ(provider_->availability().state, State::kInstalled);
  const SessionId session = provider_->StartSession().value();
  Reader reader;
  const StreamDone done = Turn(session, {}, &reader);
  EXPECT_EQ(done.end, TurnEnd::kAnswer);
  EXPECT_EQ(done.stop_reason, "answer");
  EXPECT_EQ(done.answer, "Hello, world!");
  EXPECT_EQ(reader.Text(StreamChunk::Channel::kFinal), "Hello, world!");
  EXPECT_EQ(reader.Text(StreamChunk::Channel::kAnalysis), "Think.");
  EXPECT_FALSE(done.repaired);
  EXPECT_GT(done.usage.prompt_tokens, 10);
  EXPECT_EQ(done.usage.generated_tokens, static_cast<std::int64_t>(script_.size()));
  EXPECT_GT(done.usage.first_token_ms, 0);
  // Reasoning and answer are different messages.
  std::map<StreamChunk::Channel, std::set<int>> messages;
  for (const StreamChunk& chunk : reader.chunks()) messages[chunk.channel].insert(chunk.message_id);
  EXPECT_EQ(messages[StreamChunk::Channel::kAnalysis], (std::set<int>{0}));
  EXPECT_EQ(messages[StreamChunk::Channel::kFinal], (std::set<int>{1}));
  EXPECT_EQ(provider_->availability().state, State::kReady);
  // A second turn pays for its new tokens only.
  const StreamDone second = Turn(session);
  EXPECT_EQ(second.answer, "Hello, world!");
  EXPECT_GT(second.usage.cached_tokens, 0);
  EXPECT_EQ(control_->loaded, 1);
  EXPECT_EQ(provider_->Info(session)->messages, 1U + 2 * 3);
  EXPECT_TRUE(Eventually([&] { return States() == std::vector<State>{State::kLoading, State::kReady}; }));
}

TEST_F(ProviderTest, ToolCallsComeWholeAndTheirResultsGoBack) {
  Say("<|channel|>commentary to=functions.get_weather "
      "<|constrain|>json<|message|>{\"city\":\"Oslo\"}<|call|>");
  Start();
  const SessionId session = provider_->StartSession().value();
  StreamOptions options;
  options.tools =
      harmony::ToolNamespace{"functions", std::nullopt, {{"get_weather", "Weather", std::nullopt}}};
  Reader reader;
  const StreamDone done = Turn(session, options, &reader);
  EXPECT_EQ(done.end, TurnEnd::kToolCall);
  ASSERT_EQ(done.tool_calls.size(), 1U);
  EXPECT_EQ(done.tool_calls[0].name, "get_weather");
  EXPECT_EQ(done.tool_calls[0].arguments, "{\"city\":\"Oslo\"}");
  EXPECT_EQ(reader.Text(StreamChunk::Channel::kToolCall), "{\"city\":\"Oslo\"}");
  Say(kHello);
}

TEST_F(ProviderTest, AStopStringEndsTheAnswerBeforeIt) {
  Say(kHello);
  Start();
  const SessionId session = provider_->StartSession().value();
  StreamOptions options;
  options.stop = {"wor", "never"};
  Reader reader;
  const StreamDone done = Turn(session, options, &reader);
  EXPECT_EQ(done.end, TurnEnd::kAnswer);
  EXPECT_EQ(done.stop_reason, "stop_string");
  EXPECT_EQ(done.answer, "Hello, ");
  EXPECT_EQ(reader.Text(StreamChunk::Channel::kFinal), "Hello, ");
  EXPECT_EQ(provider_->Snapshot(session)->messages.back().Text(), "Hello, ");
}

TEST_F(ProviderTest, LoadsJoinAndAreIdempotent) {
  Say(kHello);
  control_->per_load_step = 30ms;
  Start();
  std::vector<std::thread> threads;
  std::atomic<int> ok = 0;
  for (int i = 0; i < 8; ++i) threads.emplace_back([&] { ok += provider_->Load() ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ok, 8);
  EXPECT_EQ(control_->loaded, 1);
  EXPECT_TRUE(provider_->Load());
  EXPECT_EQ(control_->loaded, 1);
  provider_->Unload();
  provider_->Unload();
  EXPECT_EQ(control_->alive, 0);
  EXPECT_EQ(provider_->availability().state, State::kInstalled);
}

TEST_F(ProviderTest, ALoadEndsWhenNobodyWaitsForIt) {
  control_->load_steps = 1000;
  control_->per_load_step = 5ms;
  Start();
  CancelSource cancel;
  std::thread waiter([&] {
    const Status status = provider_->Load(std::nullopt, cancel.token());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  });
  EXPECT_TRUE(Eventually([&] { return provider_->availability().fraction > 0; }));
  cancel.Cancel();
  waiter.join();
  EXPECT_TRUE(Eventually([&] { return provider_->availability().state == State::kInstalled; }));
  EXPECT_EQ(control_->loaded, 0);
}

TEST_F(ProviderTest, APathIsLoadedInsteadOfTheProvidersOwnModel) {
  SayForEver();
  control_->look = State::kNotInstalled;  // a path needs no installation
  Start();
  EXPECT_TRUE(provider_->Load("/a"));
  EXPECT_TRUE(provider_->Load("/a"));
  EXPECT_EQ(control_->paths(), (std::vector<std::string>{"/a"}));
  const SessionId session = provider_->StartSession().value();
  Reader reader;
  ASSERT_TRUE(provider_->Stream(session, "a", {}, reader.on_chunk(), reader.on_done()));
  reader.WaitForChunks(1);
  const Status busy = provider_->Load("/b");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().message, "another model is in use; unload it first");
  provider_->Cancel(session);
  EXPECT_EQ(reader.Wait().end, TurnEnd::kCancelled);
  EXPECT_TRUE(Eventually([&] { return provider_->Load("/b").has_value(); }));
  EXPECT_EQ(control_->paths(), (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(control_->alive, 1);
}

TEST_F(ProviderTest, MessagesAreAPromptToo) {
  Say(kHello);
  Start();
  const SessionId session = provider_->StartSession().value();
  Reader reader;
  std::vector<harmony::Message> messages = {harmony::UserMessage("Hello"),
                                            harmony::UserMessage("Are you there?")};
  ASSERT_TRUE(provider_->Stream(session, std::move(messages), {}, reader.on_chunk(), reader.on_done()));
  EXPECT_EQ(reader.Wait().answer, "Hello, world!");
  EXPECT_EQ(provider_->Snapshot(session)->messages[2].Text(), "Are you there?");
}

TEST_F(ProviderTest, AFailedLoadSaysWhyAndTheNextOneTriesAgain) {
  Say(kHello);
  control_->fail_load = true;
  Start();
  const Status status = provider_->Load();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "the test broke the load");
  EXPECT_EQ(provider_->availability().state, State::kInstalled);
  const SessionId session = provider_->StartSession().value();
  const StreamDone failed = Turn(session);
  EXPECT_EQ(failed.end, TurnEnd::kError);
  ASSERT_TRUE(failed.error.has_value());
  EXPECT_EQ(failed.explanation, "the test broke the load");
  EXPECT_TRUE(provider_->Info(session)->interrupted);
  control_->fail_load = false;
  EXPECT_FALSE(provider_->Resume(session)->interrupted);
  EXPECT_EQ(Turn(session).answer, "Hello, world!");
}

TEST_F(ProviderTest, WhatIsNotThereIsNotLoaded) {
  for (const State state : {State::kUnavailable, State::kNotInstalled, State::kDownloading}) {
    control_->look = state;
    Start();
    const Status status = provider_->Load();
    ASSERT_FALSE(status);
    EXPECT_EQ(control_->opened, 0);
    EXPECT_EQ(provider_->availability().state, state);
  }
}

TEST_F(ProviderTest, InstallReportsProgressAndIsJoined) {
  control_->look = State::kNotInstalled;
  control_->per_install_step = 20ms;
  Start();
  std::thread other([&] { EXPECT_TRUE(provider_->Install("test")); });
  EXPECT_TRUE(provider_->Install("test"));
  other.join();
  EXPECT_LE(control_->installs, 2);
  EXPECT_EQ(provider_->availability().state, State::kInstalled);
  EXPECT_TRUE(
      Eventually([&] { return States() == std::vector<State>{State::kDownloading, State::kInstalled}; }));
}

TEST_F(ProviderTest, ADownloadTellsItsFractionAndTheTimeLeft) {
  control_->look = State::kNotInstalled;
  std::vector<std::pair<double, double>> seen;  // fraction and seconds, as availability() has them
  control_->at_install_step = [&] {
    const Availability now = provider_->availability();
    EXPECT_EQ(now.state, State::kDownloading);
    seen.emplace_back(now.fraction, now.eta_seconds);
  };
  Start();
  EXPECT_TRUE(provider_->Install("test"));
  EXPECT_EQ(seen, (std::vector<std::pair<double, double>>{{0, -1}, {0.25, 3}, {0.5, 2}, {0.75, 1}}));
  EXPECT_LT(provider_->availability().eta_seconds, 0);
}

TEST_F(ProviderTest, AFailedOrCancelledInstallLeavesItNotInstalled) {
  control_->look = State::kNotInstalled;
  control_->fail_install = true;
  Start();
  EXPECT_FALSE(provider_->Install("test"));
  EXPECT_EQ(provider_->availability().state, State::kNotInstalled);
  EXPECT_EQ(provider_->availability().reason, "the test has not installed it");
  CancelSource cancel;
  cancel.Cancel();
  const Status cancelled = provider_->Install("test", cancel.token());
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
}

TEST_F(ProviderTest, IdleModelsLeaveAndKeepAliveOverrules) {
  Say(kHello);
  options_.idle_unload = 30ms;
  Start();
  const SessionId session = provider_->StartSession().value();
  Turn(session);
  EXPECT_TRUE(Eventually([&] { return provider_->availability().state == State::kInstalled; }));
  EXPECT_EQ(control_->alive, 0);
  StreamOptions stay;
  stay.keep_alive = -1ms;
  EXPECT_EQ(Turn(session, stay).answer, "Hello, world!");  // loaded again by itself
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(control_->alive, 1);
  StreamOptions leave;
  leave.keep_alive = 0ms;
  Turn(session, leave);
  EXPECT_TRUE(Eventually([&] { return control_->alive == 0; }));
  EXPECT_EQ(control_->loaded, 2);
}

TEST_F(ProviderTest, PreloadLoadsWithoutBeingAsked) {
  options_.preload = true;
  Start();
  EXPECT_TRUE(Eventually([&] { return provider_->availability().state == State::kReady; }));
}

TEST_F(ProviderTest, CancelEndsTheRunningTurnAndThoseThatWait) {
  SayForEver();
  Start();
  const SessionId session = provider_->StartSession().value();
  Reader first, second;
  ASSERT_TRUE(provider_->Stream(session, "a", {}, first.on_chunk(), first.on_done()));
  ASSERT_TRUE(provider_->Stream(session, "b", {}, second.on_chunk(), second.on_done()));
  EXPECT_GE(first.WaitForChunks(3), 3U);
  provider_->Cancel(session);
  EXPECT_EQ(first.Wait().end, TurnEnd::kCancelled);
  EXPECT_EQ(second.Wait().end, TurnEnd::kCancelled);
  EXPECT_TRUE(second.chunks().empty());
  Say(kHello);
  EXPECT_TRUE(Eventually([&] { return !provider_->Info(session)->busy; }));
  EXPECT_TRUE(provider_->Info(session)->interrupted);
}

TEST_F(ProviderTest, CancelFromInsideACallback) {
  SayForEver();
  Start();
  const SessionId session = provider_->StartSession().value();
  Reader reader;
  const OnChunk collect = reader.on_chunk();
  ASSERT_TRUE(provider_->Stream(
      session, "a", {},
      [&](const StreamChunk& chunk) {
        collect(chunk);
        provider_->Cancel(session);
      },
      reader.on_done()));
  EXPECT_EQ(reader.Wait().end, TurnEnd::kCancelled);
}

TEST_F(ProviderTest, AThrowingReaderEndsItsOwnTurnOnly) {
  SayForEver();
  Start();
  const SessionId session = provider_->StartSession().value();
  Reader reader;
  ASSERT_TRUE(provider_->Stream(session, "a", {}, [](const StreamChunk&) { throw 1; }, reader.on_done()));
  EXPECT_EQ(reader.Wait().end, TurnEnd::kCancelled);
}

TEST_F(ProviderTest, UnloadWaitsForTurnsOrCancelsThem) {
  SayForEver();
  Start();
  const SessionId session = provider_->StartSession().value();
  Reader reader;
  ASSERT_TRUE(provider_->Stream(session, "a", {}, reader.on_chunk(), reader.on_done()));
  reader.WaitForChunks(2);
  std::thread unloader([&] { provider_->Unload(PressurePolicy::kFinishTurns); });
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(control_->alive, 1);
  provider_->Unload(PressurePolicy::kCancelTurns);
  unloader.join();
  EXPECT_EQ(reader.Wait().end, TurnEnd::kCancelled);
  EXPECT_EQ(control_->alive, 0);
}

TEST_F(ProviderTest, PressureDropsCachesThenTheModel) {
  Say(kHello);
  options_.pressure = PressurePolicy::kCancelTurns;
  Start();
  const SessionId session = provider_->StartSession().value();
  Turn(session);
  provider_->OnMemoryPressure(MemoryPressure::kWarning);
  EXPECT_EQ(control_->dropped, 1);
  EXPECT_EQ(provider_->availability().state, State::kReady);
  SayForEver();
  Reader reader;
  const SessionId busy = provider_->StartSession().value();
  ASSERT_TRUE(provider_->Stream(busy, "a", {}, reader.on_chunk(), reader.on_done()));
  reader.WaitForChunks(2);
  provider_->OnMemoryPressure(MemoryPressure::kCritical);
  EXPECT_EQ(reader.Wait().end, TurnEnd::kCancelled);
  EXPECT_TRUE(Eventually([&] { return control_->alive == 0; }));
  EXPECT_TRUE(Eventually([&] { return States().back() == State::kInstalled; }));
}

TEST_F(ProviderTest, TheGuardRefusesWithAdvice) {
  memory_ = {.total = 32'000'000'000, .available = 1'000'000};
  Start();
  const Status status = provider_->Load();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(status.error().message.find("close applications"), std::string::npos) << status.error().message;
  EXPECT_EQ(control_->loaded, 0);
}

TEST_F(ProviderTest, ConsumersAreSuspendedWhileTheModelIsThere) {
  Say(kHello);
  std::vector<bool> calls;
  options_.suspend_consumers = [&](bool suspend) { calls.push_back(suspend); };
  Start();
  EXPECT_TRUE(provider_->Load());
  EXPECT_EQ(calls, (std::vector<bool>{true}));
  provider_->Unload();
  EXPECT_EQ(calls, (std::vector<bool>{true, false}));
}

TEST_F(ProviderTest, SessionsAreCheckedAndBounded) {
  SayForEver();
  options_.max_sessions = 2;
  options_.max_waiting_turns = 1;
  Start();
  EXPECT_EQ(provider_->Stream("nobody", "a", {}, nullptr, nullptr).error().code, ErrorCode::kNotFound);
  const SessionId session = provider_->StartSession().value();
  ASSERT_TRUE(provider_->StartSession());
  EXPECT_EQ(provider_->StartSession().error().code, ErrorCode::kResourceExhausted);
  StreamOptions bad;
  bad.temperature = -1;
  EXPECT_EQ(provider_->Stream(session, "a", bad, nullptr, nullptr).error().code, ErrorCode::kInvalidArgument);
  bad = {};
  bad.stop = {""};
  EXPECT_EQ(provider_->Stream(session, "a", bad, nullptr, nullptr).error().code, ErrorCode::kInvalidArgument);
  Reader first;
  ASSERT_TRUE(provider_->Stream(session, "a", {}, first.on_chunk(), first.on_done()));
  first.WaitForChunks(1);
  ASSERT_TRUE(provider_->Stream(session, "b", {}, nullptr, nullptr));
  EXPECT_EQ(provider_->Stream(session, "c", {}, nullptr, nullptr).error().code, ErrorCode::kUnavailable);
  provider_->EndSession(session);
  EXPECT_EQ(first.Wait().end, TurnEnd::kCancelled);
  EXPECT_EQ(provider_->Info(session).error().code, ErrorCode::kNotFound);
}

TEST_F(ProviderTest, ASnapshotGoesOnInAnotherProvider) {
  Say(kHello);
  Start();
  const SessionId session = provider_->StartSession({.instructions = "Be brief."}).value();
  Turn(session);
  const Conversation snapshot = provider_->Snapshot(session).value();
  provider_.reset();
  Start();
  const SessionId resumed = provider_->Resume(snapshot).value();
  EXPECT_EQ(Turn(resumed).answer, "Hello, world!");
  EXPECT_EQ(provider_->Info(resumed)->messages, snapshot.messages.size() + 3);
  EXPECT_EQ(provider_->Resume(Conversation{}).error().code, ErrorCode::kInvalidArgument);
}

// Cancels at random moments of load, prefill and decode: every turn ends once, nothing is left over.
TEST_F(ProviderTest, RandomCancelsLeaveNothingBehind) {
  SayForEver();
  control_->per_load_step = 1ms;
  options_.buffer_chunks = 4;
  Start();
  const std::ptrdiff_t threads_before = EntriesOf("/proc/self/task"),
                       files_before = EntriesOf("/proc/self/fd");
  std::mt19937 random(7);
  const int rounds = 250, sessions = 4;
  for (int round = 0; round < rounds; ++round) {
    std::vector<SessionId> ids;
    std::vector<std::unique_ptr<Reader>> readers;
    for (int i = 0; i < sessions; ++i) {
      ids.push_back(provider_->StartSession().value());
      readers.push_back(std::make_unique<Reader>());
      ASSERT_TRUE(
          provider_->Stream(ids.back(), "a", {}, readers.back()->on_chunk(), readers.back()->on_done()));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    for (const SessionId& id : ids) provider_->Cancel(id);
    for (const auto& reader : readers) EXPECT_EQ(reader->Wait().end, TurnEnd::kCancelled);
    for (const SessionId& id : ids) provider_->EndSession(id);
    if (round % 10 == 0) provider_->Unload();
  }
  provider_->Unload();
  EXPECT_EQ(control_->alive, 0);
  EXPECT_EQ(control_->backend->live_sequences, 0);
  EXPECT_EQ(provider_->metrics().active, 0U);
  EXPECT_EQ(provider_->metrics().cancelled, static_cast<std::uint64_t>(rounds * sessions));
  static_cast<void>(provider_->StartSession());  // joins the threads of ended sessions
  EXPECT_TRUE(Eventually([&] { return EntriesOf("/proc/self/task") <= threads_before; }));
  EXPECT_LE(EntriesOf("/proc/self/fd"), files_before);
}

}  // namespace
}  // namespace gptoss
