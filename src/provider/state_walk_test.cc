// Every transition of docs/provider.md, walked by a provider; and no other, whatever is asked for and when.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>
#include <utility>

#include "provider/agent_provider.h"
#include "provider/testing/provider_fixture.h"

namespace gptoss {
namespace {

using namespace std::chrono_literals;
using testing::ProviderTest;
using State = ModelState;
using Edge = std::pair<State, State>;

class StateWalk : public ProviderTest {
 protected:
  void Begin(State state) {
    begun_ = state;
    control_->look = state;
    Start();
    EXPECT_EQ(provider_->availability().state, state);
  }
  // Somebody installed it, deleted it, changed the policy …
  void Look(State state) {
    control_->look = state;
    ++control_->looks;
    EXPECT_EQ(provider_->Refresh().state, state);
  }
  // Ends once observers know what is so now: nothing of it is replaced by what comes next.
  void Told() {
    EXPECT_TRUE(Eventually([&] {
      const Availability now = provider_->availability();
      std::lock_guard lock(mutex_);
      return news_.empty() ? now.state == begun_ : news_.back() == now;
    }));
  }
  std::set<Edge> Edges() {
    std::set<Edge> edges;
    std::lock_guard lock(mutex_);
    State from = begun_;
    for (const Availability& news : news_) {
      edges.emplace(from, news.state);
      from = news.state;
    }
    return edges;
  }

  State begun_ = State::kUnavailable;
};

TEST_F(StateWalk, EveryAllowedTransitionHappens) {
  control_->at_install_step = [this] { Told(); };
  Begin(State::kUnavailable);
  for (const State state :
       {State::kUnavailable, State::kNotInstalled, State::kNotInstalled, State::kUnavailable,
        State::kInstalled, State::kInstalled, State::kUnavailable, State::kInstalled, State::kNotInstalled,
        State::kInstalled, State::kNotInstalled}) {
    Look(state);
    Told();
  }
  control_->fail_install = true;  // downloading, downloading … not installed
  EXPECT_FALSE(provider_->Install("test"));
  Told();
  control_->at_install_step = [this] {  // the policy forbids it meanwhile
    Told();
    control_->look = State::kUnavailable;
  };
  EXPECT_FALSE(provider_->Install("test"));
  EXPECT_EQ(provider_->availability().state, State::kUnavailable);
  Told();
  control_->at_install_step = [this] { Told(); };
  control_->fail_install = false;
  Look(State::kNotInstalled);
  Told();
  EXPECT_TRUE(provider_->Install("test"));  // downloading, installed
  Told();
  EXPECT_TRUE(provider_->Install("test"));  // installed, downloading: what is damaged is fetched again
  Told();
  control_->fail_load = true;
  EXPECT_FALSE(provider_->Load());  // loading, installed
  Told();
  control_->fail_load = false;
  const Edge progress(State::kLoading, State::kLoading);
  control_->per_load_step = 2ms;
  control_->load_steps = 20;
  for (int i = 0; i < 50 && (i == 0 || !Edges().contains(progress)); ++i) {
    EXPECT_TRUE(provider_->Load());  // loading, loading …, ready
    Told();
    provider_->Unload();  // installed
    Told();
  }
  std::set<Edge> allowed;
  for (int from = 0; from < kModelStates; ++from)
    for (int to = 0; to < kModelStates; ++to)
      if (TransitionAllowed(State(from), State(to))) allowed.emplace(State(from), State(to));
  EXPECT_EQ(Edges(), allowed);
}

// Whatever the disk says and whoever asks for what: TearDown looks at every transition that was told.
TEST_F(StateWalk, NothingForbiddenHappens) {
  control_->per_load_step = 0ms;
  Begin(State::kNotInstalled);
  std::mt19937 random(3);
  constexpr State kLooks[] = {State::kUnavailable, State::kNotInstalled, State::kDownloading,
                              State::kInstalled};
  for (int i = 0; i < 400; ++i) {
    control_->look = kLooks[random() % 4];
    ++control_->looks;
    control_->fail_load = random() % 3 == 0;
    control_->fail_install = random() % 3 == 0;
    const State before = provider_->availability().state;
    switch (random() % 5) {
      case 0:
        provider_->Refresh();
        EXPECT_TRUE(before != State::kReady || provider_->availability().state == State::kReady);
        break;
      case 1:
        EXPECT_TRUE(!provider_->Load() || provider_->availability().state == State::kReady);
        break;
      case 2:
        static_cast<void>(provider_->Install("test"));
        EXPECT_TRUE(before != State::kReady || provider_->availability().state == State::kReady);
        break;
      case 3:
        provider_->Unload();
        EXPECT_NE(provider_->availability().state, State::kReady);
        break;
      default:
        provider_->OnMemoryPressure(MemoryPressure::kCritical);
        break;
    }
  }
}

}  // namespace
}  // namespace gptoss
