#include "mcp/client.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "mcp/messages.h"
#include "mcp/transport.h"

namespace gptoss::mcp {
namespace {

constexpr int kMaxPages = 50;

class ConnectedClient final : public Client {
 public:
  ConnectedClient(std::string name, std::unique_ptr<Transport> transport, ClientOptions options)
      : name_(std::move(name)), transport_(std::move(transport)), options_(std::move(options)) {}

  Status Introduce(const CancelToken& cancel) {
    const auto deadline = std::chrono::steady_clock::now() + options_.start_patience;
    const auto left = [&] {
      return std::chrono::duration_cast<std::chrono::milliseconds>(deadline -
                                                                   std::chrono::steady_clock::now());
    };
    GPTOSS_TRY(const Json hello,
               transport_->Ask("initialize", InitializeParams(options_.program_version), left(), cancel));
    GPTOSS_TRY(const std::string version, ReadInitializeResult(hello));
    transport_->Agreed(version);
    GPTOSS_CHECK_OK(transport_->Tell("notifications/initialized", Json::object()));
    const auto capabilities = hello.find("capabilities");
    if (capabilities == hello.end() || !capabilities->is_object() || !capabilities->contains("tools"))
      return {};
    std::string cursor;
    for (int page = 0; page < kMaxPages; ++page) {
      Json params = Json::object();
      if (!cursor.empty()) params["cursor"] = cursor;
      GPTOSS_TRY(const Json result, transport_->Ask("tools/list", std::move(params), left(), cancel));
      cursor = ReadToolPage(result, tools_);
      if (cursor.empty()) return {};
    }
    return {};
  }

  const std::vector<ToolInfo>& tools() const override { return tools_; }
  Result<CallResult> CallTool(const std::string& tool, const Json& arguments, const CancelToken& cancel,
                              const Json& meta) override {
    Json params{{"name", tool}, {"arguments", arguments}};
    if (!meta.is_null()) params["_meta"] = meta;
    auto result = transport_->Ask("tools/call", std::move(params), options_.call_patience, cancel);
    if (!result) return std::unexpected(std::move(result).error().Within(name_));
    return ReadCallResult(*result);
  }

 private:
  const std::string name_;
  const std::unique_ptr<Transport> transport_;
  const ClientOptions options_;
  std::vector<ToolInfo> tools_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::Connect(const ServerConfig& config, const ClientOptions& options,
                                                const CancelToken& cancel) {
  const std::string where = fmt::format("MCP server '{}'", Excerpt(config.name, kMessageBytes));
  auto transport = config.url.empty() ? StartPipes(config) : OpenHttp(config);
  if (!transport) return std::unexpected(std::move(transport).error().Within(where));
  auto client = std::make_unique<ConnectedClient>(where, std::move(*transport), options);
  if (Status introduced = client->Introduce(cancel); !introduced)
    return std::unexpected(std::move(introduced).error().Within(where));
  return client;
}

}  // namespace gptoss::mcp
