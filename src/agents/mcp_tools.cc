#include "agents/mcp_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "agents/ids.h"
#include "agents/tool.h"
#include "base/text.h"
#include "mcp/client.h"

namespace gptoss::agents {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t kMaxNameBytes = 64, kStateBytes = 500;

class McpRun final : public ToolRun {
 public:
  McpRun(ToolPreview preview, std::shared_ptr<mcp::Client> client, std::string tool, Json arguments)
      : ToolRun(std::move(preview)),
        client_(std::move(client)),
        tool_(std::move(tool)),
        arguments_(std::move(arguments)) {}
  ToolOutcome Run(const ToolRunContext& context) override {
    auto result = client_->CallTool(tool_, arguments_, context.cancel, context.sink->trace_context());
    if (!result) return FailedOutcome(result.error().message);
    ToolOutcome outcome{.text = Abridge(result->text, kModelBytes), .failed = result->failed};
    if (!result->structured.is_null()) outcome.raw_output = std::move(result->structured);
    return outcome;
  }

 private:
  const std::shared_ptr<mcp::Client> client_;
  const std::string tool_;
  const Json arguments_;
};

class McpTool final : public Tool {
 public:
  McpTool(std::shared_ptr<mcp::Client> client, std::string server, mcp::ToolInfo info, std::string folder)
      : client_(std::move(client)),
        server_(std::move(server)),
        info_(std::move(info)),
        folder_(std::move(folder)),
        description_{.name = McpToolName(server_, info_.name),
                     .description = info_.description,
                     .parameters = info_.input_schema} {}
  const harmony::ToolDescription& description() const override { return description_; }
  Result<std::unique_ptr<ToolRun>> Prepare(const Json& arguments, const ToolScope&) override {
    ToolPreview preview{
        .title = fmt::format("{}: {}", server_,
                             Excerpt(info_.title.empty() ? info_.name : info_.title, kMessageBytes))};
    // What a server says of its tools' harmlessness is its own word: it is asked for all the same.
    preview.need = ToolPreview::Need::kPermission;
    preview.rule = fmt::format("mcp:{}:{}", server_, info_.name);
    preview.scope = fmt::format("{} of {} in {}", info_.name, server_, folder_);
    return std::make_unique<McpRun>(std::move(preview), client_, info_.name, arguments);
  }

 private:
  const std::shared_ptr<mcp::Client> client_;
  const std::string server_;
  const mcp::ToolInfo info_;
  const std::string folder_;
  const harmony::ToolDescription description_;
};

// `otherwise`: what it is to a client that knows no notices.
void Tell(TurnSink& sink, const std::string& text, acp::MessageKind otherwise) {
  if (sink.client().notices) {
    sink.Emit(acp::Notice{.severity = "warning", .title = text});
  } else {
    sink.Emit(acp::MessageChunk{.kind = otherwise, .message_id = NewId("msg"), .text = text + "\n\n"});
  }
}
void TellFailure(TurnSink& sink, const Error& error) { Tell(sink, error.message, acp::MessageKind::kAgent); }

}  // namespace

struct McpServers::Server {
  std::string name;
  std::mutex mutex;
  std::condition_variable came;
  std::optional<Result<std::unique_ptr<mcp::Client>>> client;  // taken when it is joined
  std::string state = "starting";                              // for people
  bool joined = false;                                         // used by one thread
  std::thread thread;
};

std::string McpToolName(const std::string& server, const std::string& tool) {
  std::string name = fmt::format("mcp__{}__{}", server, tool);
  for (char& c : name) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!good) c = '_';
  }
  if (name.size() > kMaxNameBytes) name.resize(kMaxNameBytes);
  return name;
}

McpServers::McpServers(const std::vector<acp::McpServer>& servers, const std::string& folder,
                       const std::string& version)
    : folder_(folder) {
  for (const acp::McpServer& server : servers) {
    const auto mine = std::make_shared<Server>();
    mine->name = server.name;
    mcp::ServerConfig config{.name = server.name,
                             .command = server.command,
                             .arguments = server.arguments,
                             .environment = server.environment,
                             .folder = folder,
                             .url = server.url,
                             .headers = server.headers};
    const bool spoken = server.kind != acp::McpServer::Kind::kSse;
    mine->thread = std::thread([mine, config = std::move(config), version, spoken, cancel = cancel_.token()] {
      Result<std::unique_ptr<mcp::Client>> client =
          spoken
              ? mcp::Client::Connect(config, {.program_version = version}, cancel)
              : Fail(ErrorCode::kUnsupported,
                     fmt::format(
                         "MCP server '{}': the SSE transport is not spoken; name its streamable HTTP address "
                         "(\"type\": \"http\") or its program",
                         Excerpt(config.name, kMessageBytes)));
      {
        std::lock_guard lock(mine->mutex);
        mine->state = client ? fmt::format("{} tools", (*client)->tools().size())
                             : fmt::format("failed: {}", Excerpt(client.error().message, kStateBytes));
        mine->client = std::move(client);
      }
      mine->came.notify_all();
    });
    servers_.push_back(mine);
  }
}

McpServers::~McpServers() {
  cancel_.Cancel();
  for (const auto& server : servers_) server->thread.join();
}

void McpServers::Join(Toolbox& toolbox, TurnSink& sink, const CancelToken& cancel) {
  for (const auto& server : servers_) {
    if (server->joined) continue;
    const auto news = std::chrono::steady_clock::now() + 1s;
    bool told = false;
    std::unique_lock lock(server->mutex);
    while (!server->came.wait_for(lock, 20ms, [&] { return server->client.has_value(); })) {
      if (cancel.cancelled()) return;
      if (told || std::chrono::steady_clock::now() < news) continue;
      told = true;
      lock.unlock();
      Tell(sink, fmt::format("Starting the MCP server '{}'", Excerpt(server->name, kMessageBytes)),
           acp::MessageKind::kThought);
      lock.lock();
    }
    server->joined = true;
    Result<std::unique_ptr<mcp::Client>> taken =
        std::move(server->client).value_or(Fail(ErrorCode::kInternal, "the MCP server has not answered"));
    if (!taken) {
      TellFailure(sink, taken.error());
      continue;
    }
    const std::shared_ptr<mcp::Client> client = std::move(*taken);
    for (const mcp::ToolInfo& info : client->tools()) {
      if (toolbox.Has(McpToolName(server->name, info.name))) continue;
      toolbox.Add(std::make_unique<McpTool>(client, server->name, info, folder_));
    }
  }
}

void McpServers::TellFailures(TurnSink& sink) {
  for (const auto& server : servers_) {
    if (server->joined) continue;
    std::optional<Error> failure;
    {
      const std::lock_guard lock(server->mutex);
      const auto& client = server->client;
      if (client.has_value() && !client->has_value()) failure = client->error();
    }
    if (!failure) continue;
    server->joined = true;
    TellFailure(sink, *failure);
  }
}

std::string McpServers::StatusText() const {
  std::string text;
  for (const auto& server : servers_) {
    const std::lock_guard lock(server->mutex);
    text += fmt::format("- MCP server {}: {}\n", Excerpt(server->name, kMessageBytes), server->state);
  }
  return text;
}

}  // namespace gptoss::agents
