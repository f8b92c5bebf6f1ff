// One way to a server: asking it and telling it. Of this room only.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "mcp/client.h"

namespace gptoss::mcp {

// Safe from any thread.
class Transport {
 public:
  virtual ~Transport() = default;
  // The result. Errors: what the server answered (kInvalidArgument), kDeadlineExceeded, kCancelled,
  // kUnavailable.
  virtual Result<Json> Ask(std::string_view method, Json params, std::chrono::milliseconds patience,
                           const CancelToken& cancel) = 0;
  virtual Status Tell(std::string_view method, Json params) = 0;
  // From the answer to initialize on.
  virtual void Agreed(const std::string& protocol_version) = 0;
};

Result<std::unique_ptr<Transport>> StartPipes(const ServerConfig& config);
Result<std::unique_ptr<Transport>> OpenHttp(const ServerConfig& config);

}  // namespace gptoss::mcp
