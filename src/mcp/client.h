// A server of tools, started or addressed, and its tools called.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"

namespace gptoss::mcp {

struct ServerConfig {
  std::string name;  // for people
  // A program that speaks over its pipes, run in `folder`:
  std::string command;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string folder;
  // or an address, spoken to over streamable HTTP:
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct ToolInfo {
  std::string name, title, description;
  Json input_schema;
};

struct CallResult {
  std::string text;  // its text and resources, joined; other content by a word
  bool failed = false;
  Json structured;  // null: none
};

struct ClientOptions {
  std::string program_version;
  std::chrono::milliseconds start_patience{30'000};  // of initialize and the list of tools together
  std::chrono::milliseconds call_patience{600'000};  // of one call
};

// Safe from any thread. Destroying it ends the server: its input is closed, then its process group is killed.
class Client {
 public:
  // Starts the server, introduces itself and asks for the tools. Errors name the server and say what it said
  // last: kNotFound (no such program), kUnavailable (it ended, or cannot be reached), kDeadlineExceeded,
  // kCancelled, kUnsupported (it speaks no version of ours), kDataLoss (it does not speak the protocol).
  static Result<std::unique_ptr<Client>> Connect(const ServerConfig& config, const ClientOptions& options,
                                                 const CancelToken& cancel);
  virtual ~Client() = default;
  virtual const std::vector<ToolInfo>& tools() const = 0;
  // A tool that failed is a result; errors are of the server and the way to it. A call that is cancelled is
  // told to the server. `meta`: the request's _meta, such as the trace that it belongs to; null: none.
  virtual Result<CallResult> CallTool(const std::string& tool, const Json& arguments,
                                      const CancelToken& cancel, const Json& meta = nullptr) = 0;
};

}  // namespace gptoss::mcp
