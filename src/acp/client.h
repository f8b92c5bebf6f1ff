// Another agent as a child, spoken to as its client: started, asked, answered by a policy, ended.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"

namespace gptoss::acp {

struct ClientConfig {
  std::vector<std::string> argv;  // no shell reads it
  std::vector<std::pair<std::string, std::string>> environment;
  std::string folder;
  std::string version;                                // of this program
  std::chrono::milliseconds start_patience{120'000};  // a first start may download
  std::chrono::milliseconds turn_patience{0};         // for one turn, then it is cancelled; 0: no limit
  std::chrono::milliseconds cancel_patience{10'000};  // from a cancel to the end of its turn
  // Which option of a permission request is chosen; nullopt: none, it is cancelled. Called on the reading
  // thread; it must not wait. Empty: the first that refuses.
  std::function<std::optional<std::string>(const Json& params)> on_permission;
  // session/update: its params. Called on the reading thread, in order.
  std::function<void(const Json& params)> on_update;
};

// Safe from any thread; one prompt at a time per session. It announces no files, terminals or questions: such
// requests of the agent are refused as unknown.
class Client {
 public:
  // Starts it and shakes hands. Errors name the program and what it said last on stderr: kNotFound,
  // kUnavailable (it ended), kDeadlineExceeded, kUnsupported (it does not speak version 1).
  static Result<std::unique_ptr<Client>> Start(const ClientConfig& config, const CancelToken& cancel);
  // Closes its input, waits 3 s, then SIGTERM, then SIGKILL, each to its whole process group.
  virtual ~Client() = default;

  virtual const Json& initialize_result() const = 0;
  // kPermissionDenied: it wants a login first; the message lists its methods.
  virtual Result<std::string> NewSession(const std::string& folder, const CancelToken& cancel) = 0;
  // Waits for the turn's end: its stop reason; kDeadlineExceeded after `turn_patience`. After `cancel` the
  // agent is told, and has `cancel_patience` to end the turn; then the agent is suspect: kDeadlineExceeded,
  // and every call is refused from then on. Start another.
  virtual Result<std::string> Prompt(const std::string& session, Json blocks, const CancelToken& cancel) = 0;
  virtual bool suspect() const = 0;
  virtual bool running() const = 0;  // neither ended nor suspect
  virtual Result<Json> Ask(std::string_view method, Json params, std::chrono::milliseconds patience,
                           const CancelToken& cancel) = 0;
  // Ends it now and says how: its exit code, or minus the signal that ended it.
  virtual int Stop() = 0;
};

}  // namespace gptoss::acp
