// Errors as values. Every fallible function returns Result<T>; no exception crosses a folder.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace gptoss {

// The canonical codes. One table (error.cc) maps them to exit codes; protocol faces add their own columns.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,     // the caller's request is wrong: bad flag, bad JSON, unknown field
  kNotFound,            // a file, model, session that is not there
  kAlreadyExists,       //
  kPermissionDenied,    // the system or a policy says no
  kFailedPrecondition,  // right request, wrong moment (not loaded, busy)
  kOutOfRange,          // beyond a limit: context length, position, size
  kResourceExhausted,   // memory, disk, file handles
  kUnavailable,         // transient; trying again may help
  kCancelled,           // the caller asked to stop
  kDeadlineExceeded,    //
  kDataLoss,            // a file or message is damaged or not what it claims to be
  kUnsupported,         // well-formed, but not something this build can do
  kInternal,            // a bug of ours
};

// Name in snake_case ("invalid_argument"), for JSON and logs.
std::string_view ErrorCodeName(ErrorCode code);
// Exit code of the program: 2 for bad use, 130 for cancelled, else 1.
int ExitCode(ErrorCode code);

// `message` is one sentence for a person and says what to do when that is not obvious.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  // The same error with "where: " put before the message.
  Error Within(std::string_view where) && {
    message.insert(0, std::string(where) + ": ");
    return std::move(*this);
  }
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace gptoss

#define GPTOSS_CONCAT_INNER(a, b) a##b
#define GPTOSS_CONCAT(a, b) GPTOSS_CONCAT_INNER(a, b)
// GPTOSS_TRY(auto x, Expression()): x is the value, or the enclosing function returns the error.
#define GPTOSS_TRY(declaration, expression)                                          \
  auto GPTOSS_CONCAT(gptoss_try_, __LINE__) = (expression);                          \
  if (!GPTOSS_CONCAT(gptoss_try_, __LINE__))                                         \
    return std::unexpected(std::move(GPTOSS_CONCAT(gptoss_try_, __LINE__)).error()); \
  declaration = std::move(*GPTOSS_CONCAT(gptoss_try_, __LINE__))
// GPTOSS_CHECK_OK(Expression()): the same for Status.
#define GPTOSS_CHECK_OK(expression)                             \
  do {                                                          \
    if (auto gptoss_status = (expression); !gptoss_status)      \
      return std::unexpected(std::move(gptoss_status).error()); \
  } while (false)
