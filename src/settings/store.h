// Changes of the user's configuration file. Comments, order and spelling of everything else stay.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/error.h"

namespace gptoss {

// Both take the lock `FILE.lock` beside the file, read, change, check the result and rename it into place:
// two processes that write at once both win, and a crash leaves the old file or the new one. A symbolic link
// stays a link; its target is written, or made, and keeps its permissions. Folders are made where they are
// missing. Any thread. Errors: kInvalidArgument (unknown name, value out of range, or the file is no TOML:
// the sentence names the line; nothing is written), kFailedPrecondition (the key stands where no line can be
// changed safely), those of the file system.
Status WriteSetting(const std::filesystem::path& file, std::string_view name, std::string_view text);
// False: it was not set there.
Result<bool> RemoveSetting(const std::filesystem::path& file, std::string_view name);

}  // namespace gptoss
