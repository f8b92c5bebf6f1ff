#include "acp/stdio.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gptoss::acp {

Result<PrivateStdio> TakeStdio() {
  // Beyond the standard ones, so that nothing that is opened later lands on 0, 1 or 2.
  PrivateStdio taken{.input = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3),
                     .output = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const bool moved = taken.input >= 0 && taken.output >= 0 && null >= 0 && ::dup2(null, STDIN_FILENO) >= 0 &&
                     ::dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
  const int error = errno;
  if (null > STDERR_FILENO) ::close(null);
  if (!moved)
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("cannot set stdin and stdout aside for the protocol: {}", std::strerror(error)));
  return taken;
}

}  // namespace gptoss::acp
