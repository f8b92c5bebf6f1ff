#include "provider/availability.h"

#include <array>
#include <cstddef>

namespace gptoss {

std::string_view ModelStateName(ModelState state) {
  constexpr std::array<std::string_view, kModelStates> kNames = {
      "unavailable", "not_installed", "downloading", "installed", "loading", "ready"};
  return kNames[static_cast<std::size_t>(state)];
}

bool TransitionAllowed(ModelState from, ModelState to) {
  // Rows: from; columns: to, in the order of the enumeration. A model is never ready without having been
  // loaded, never loaded without being installed, and leaves memory before anything happens to its files.
  constexpr bool kAllowed[kModelStates][kModelStates] = {
      //               unavail  not_inst  downl  inst   load   ready
      /*unavailable*/ {true, true, false, true, false, false},
      /*not_inst   */ {true, true, true, true, false, false},
      /*downloading*/ {true, true, true, true, false, false},
      /*installed  */ {true, true, true, true, true, false},
      /*loading    */ {false, false, false, true, true, true},
      /*ready      */ {false, false, false, true, false, false},
  };
  return kAllowed[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}

}  // namespace gptoss
