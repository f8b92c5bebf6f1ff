#include "provider/availability.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace gptoss {
namespace {

using State = ModelState;

// The table itself, cell by cell, as docs/provider.md draws it.
TEST(AvailabilityTest, EveryTransitionAllowedAndForbidden) {
  const std::map<State, std::set<State>> allowed = {
      {State::kUnavailable, {State::kUnavailable, State::kNotInstalled, State::kInstalled}},
      {State::kNotInstalled,
       {State::kUnavailable, State::kNotInstalled, State::kDownloading, State::kInstalled}},
      {State::kDownloading,
       {State::kUnavailable, State::kNotInstalled, State::kDownloading, State::kInstalled}},
      {State::kInstalled,
       {State::kUnavailable, State::kNotInstalled, State::kDownloading, State::kInstalled, State::kLoading}},
      {State::kLoading, {State::kInstalled, State::kLoading, State::kReady}},
      {State::kReady, {State::kInstalled}},
  };
  for (int from = 0; from < kModelStates; ++from) {
    for (int to = 0; to < kModelStates; ++to) {
      EXPECT_EQ(TransitionAllowed(State(from), State(to)), allowed.at(State(from)).contains(State(to)))
          << ModelStateName(State(from)) << " -> " << ModelStateName(State(to));
    }
  }
}

}  // namespace
}  // namespace gptoss
