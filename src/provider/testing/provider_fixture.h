// A provider over a scripted model, and a reader of its streams: what the provider's tests share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "provider/load_tokenizer.h"
#include "provider/testing/script.h"
#include "provider/testing/scripted_model.h"

namespace gptoss::testing {

using namespace std::chrono_literals;
using Ids = std::vector<TokenId>;
using State = ModelState;

inline const Tokenizer& Small() {
  static const auto tokenizer = LoadTokenizer(OpenDemoCheckpoint().value()).value();
  return *tokenizer;
}

inline Ids SmallScript(std::string_view text) { return Script(Small(), text); }

// One turn's reader: collects, and lets the test wait.
class Reader {
 public:
  OnChunk on_chunk() {
    return [this](const StreamChunk& chunk) {
      std::unique_lock lock(mutex_);
      EXPECT_FALSE(done_.has_value()) << "a chunk after the end";
      chunks_.push_back(chunk);
      changed_.notify_all();
      changed_.wait(lock, [&] { return !blocked_; });
    };
  }
  OnDone on_done() {
    return [this](const StreamDone& done) {
      std::lock_guard lock(mutex_);
      EXPECT_FALSE(done_.has_value()) << "a second end";
      done_ = done;
      changed_.notify_all();
    };
  }
  StreamDone Wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 60s, [&] { return done_.has_value(); }));
    return done_.value_or(StreamDone{});
  }
  std::size_t WaitForChunks(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 60s, [&] { return chunks_.size() >= count; });
    return chunks_.size();
  }
  void Block(bool blocked) {
    std::lock_guard lock(mutex_);
    blocked_ = blocked;
    changed_.notify_all();
  }
  std::string Text(StreamChunk::Channel channel) {
    std::lock_guard lock(mutex_);
    std::string text;
    for (const StreamChunk& chunk : chunks_) {
      if (chunk.channel == channel) text += chunk.text;
    }
    return text;
  }
  std::vector<StreamChunk> chunks() {
    std::lock_guard lock(mutex_);
    return chunks_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StreamChunk> chunks_;
  std::optional<StreamDone> done_;
  bool blocked_ = false;
};

inline constexpr std::string_view kHello =
    "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|channel|>final<|message|>Hello, "
    "world!<|return|>";

class ProviderTest : public ::testing::Test {
 protected:
  // Every turn says the script again: how much of it was said already stands at the end of what was read.
  void Say(std::string_view script) {
    script_ = SmallScript(script);
    control_->backend->logits = [script = script_](const Ids& ids, std::span<float> logits) {
      std::fill(logits.begin(), logits.end(), 0.0F);
      std::size_t said = 0;
      for (std::size_t n = std::min(ids.size(), script.size()); n > 0; --n) {
        if (std::equal(script.begin(), script.begin() + static_cast<std::ptrdiff_t>(n),
                       ids.end() - static_cast<std::ptrdiff_t>(n))) {
          said = n;
          break;
        }
      }
      const TokenId next = said < script.size() ? script[said] : Small().special().return_;
      logits[static_cast<std::size_t>(next)] = 9;
    };
  }
  // Goes on for ever: an answer that never ends.
  void SayForEver() {
    const Ids head = SmallScript("<|channel|>final<|message|>");
    const TokenId word = SmallScript(" a").back();
    control_->backend->per_row = 200us;
    control_->backend->logits = [head, word](const Ids& ids, std::span<float> logits) {
      std::fill(logits.begin(), logits.end(), 0.0F);
      const auto ends = [&](std::size_t n) {
        return ids.size() >= n && std::equal(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(n),
                                             ids.end() - static_cast<std::ptrdiff_t>(n));
      };
      std::size_t said = head.size();
      while (said > 0 && !ends(said)) --said;
      const TokenId next = said == head.size() || (said == 0 && ids.back() == word) ? word : head[said];
      logits[static_cast<std::size_t>(next)] = 9;
    };
  }
  void Start() {
    options_.temperature = 0;
    options_.read_memory = [this] { return memory_; };
    options_.pressure_source = nullptr;
    provider_ = GptOssAgentProvider::Create(options_, std::make_unique<ScriptedSource>(control_)).value();
    provider_->Observe([this](const Availability& news) {
      std::lock_guard lock(mutex_);
      news_.push_back(news);
    });
  }
  void TearDown() override {
    provider_.reset();
    EXPECT_EQ(control_->alive, 0);
    EXPECT_EQ(control_->backend->live_sequences, 0);
    EXPECT_FALSE(control_->backend->wrong_thread);
    std::lock_guard lock(mutex_);
    for (std::size_t i = 1; i < news_.size(); ++i) {
      EXPECT_TRUE(TransitionAllowed(news_[i - 1].state, news_[i].state))
          << ModelStateName(news_[i - 1].state) << " -> " << ModelStateName(news_[i].state);
    }
  }
  std::vector<State> States() {
    std::lock_guard lock(mutex_);
    std::vector<State> states;
    for (const Availability& news : news_) {
      if (states.empty() || states.back() != news.state) states.push_back(news.state);
    }
    return states;
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (int i = 0; i < 10000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
    return condition();
  }
  StreamDone Turn(const SessionId& session, const StreamOptions& options = {}, Reader* reader = nullptr) {
    Reader own;
    Reader& r = reader != nullptr ? *reader : own;
    EXPECT_TRUE(provider_->Stream(session, "Hello", options, r.on_chunk(), r.on_done()));
    return r.Wait();
  }

  std::shared_ptr<ScriptedControl> control_ = std::make_shared<ScriptedControl>();
  ProviderOptions options_;
  MemoryInfo memory_{.total = 32'000'000'000, .available = 20'000'000'000};
  Ids script_;
  std::mutex mutex_;
  std::vector<Availability> news_;
  std::unique_ptr<GptOssAgentProvider> provider_;
};

}  // namespace gptoss::testing
