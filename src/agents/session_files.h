// The text files of a session as its user sees them: through the editor where it offers that, so that changes
// that are not saved count and are not lost, else on the disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agents/workspace.h"
#include "base/error.h"

namespace gptoss::agents {

class TurnSink;

// Of one turn. Only files inside the session's folders go through the editor; what it cannot carry (text that
// is no UTF-8, deletions) and what is outside goes to the disk. Used by the turn's thread.
class SessionFiles {
 public:
  SessionFiles(const Workspace& workspace, TurnSink& sink) : workspace_(workspace), sink_(sink) {}

  // Errors: those of ReadTextFile; kCancelled. A file that the editor cannot give is read from the disk.
  Result<std::string> Read(const ResolvedPath& file, std::uint64_t max_bytes = kMaxEditableBytes) const;
  // Errors: those of WriteTextFile and of the editor: what it refuses is not written behind its back.
  Status Write(const ResolvedPath& file, std::string_view text) const;

 private:
  const Workspace& workspace_;
  TurnSink& sink_;
};

}  // namespace gptoss::agents
