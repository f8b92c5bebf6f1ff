#include "agents/session_files.h"

#include <fmt/format.h>

#include <utility>

#include "agents/agent.h"
#include "base/utf8.h"

namespace gptoss::agents {

Result<std::string> SessionFiles::Read(const ResolvedPath& file, std::uint64_t max_bytes) const {
  // The disk first: a folder, a device or bytes are nothing to ask an editor for, nor is a name that JSON
  // cannot carry.
  auto saved = ReadTextFile(file, max_bytes);
  const bool new_file = !saved && saved.error().code == ErrorCode::kNotFound;
  if (!file.inside || !sink_.client().read_files || (!saved && !new_file) ||
      (saved && !IsValidUtf8(*saved)) || !IsValidUtf8(file.path.string()))
    return saved;
  auto shown = sink_.ReadThroughClient(workspace_.ForClient(file.path));
  if (!shown) {
    if (shown.error().code == ErrorCode::kCancelled) return shown;
    return saved;
  }
  if (shown->size() > max_bytes)
    return Fail(ErrorCode::kOutOfRange, fmt::format("{}: too large", file.path.string()));
  if (shown->find('\0') != std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: a binary file, not text", file.path.string()));
  return shown;
}

Status SessionFiles::Write(const ResolvedPath& file, std::string_view text) const {
  if (!file.inside || !sink_.client().write_files || !IsValidUtf8(text)) return WriteTextFile(file, text);
  GPTOSS_CHECK_OK(PrepareToWrite(file));
  return sink_.WriteThroughClient(workspace_.ForClient(file.path), text);
}

}  // namespace gptoss::agents
