// The store of a program that must go on whatever is on its disk.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "sessions/store.h"

namespace gptoss {

struct KeptSessions {
  std::unique_ptr<SessionStore> store;
  // For its user, a whole sentence: what was set aside, or why nothing is kept. "": all is well.
  std::string trouble;
  bool kept = true;  // false: in memory only, until the program ends
};

// A file that is damaged is renamed (`NAME.damaged-TIME`, its -wal and -shm with it) and a new one is begun;
// nothing is deleted. One that cannot be written, was written by a newer gptoss or is held by somebody, or an
// `file` that is an error: sessions in memory. An error only where there is no memory either. Several
// processes may do this at once.
Result<KeptSessions> OpenKeptSessions(const Result<std::filesystem::path>& file);

}  // namespace gptoss
