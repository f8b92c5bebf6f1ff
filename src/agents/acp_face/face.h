// Sessions for a client that speaks the Agent Client Protocol, version 1: every request of it, answered.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acp/connection.h"
#include "acp/types.h"
#include "agents/acp_face/live_session.h"
#include "agents/agent.h"
#include "agents/model_pool.h"
#include "sessions/store.h"

namespace gptoss::agents {

struct FaceOptions {
  std::string version;  // of the program
  Choices defaults;     // where nothing was chosen before
  bool make_titles = true;
  std::string trouble;  // with the store, a sentence that every session begins with; "": none
};

// One connection. The connection, store, registry and pool must outlive it.
class AcpFace {
 public:
  AcpFace(acp::Connection& connection, SessionStore& store, AgentRegistry& registry, ModelPool& pool,
          FaceOptions options);
  ~AcpFace();  // Shutdown
  AcpFace(const AcpFace&) = delete;
  AcpFace& operator=(const AcpFace&) = delete;

  // For the connection's Run. Never waits for a model, a tool or the client.
  acp::Handlers Handlers();
  // Cancels every turn and waits until all have ended. Not beside Run.
  void Shutdown();

 private:
  using Answer = std::expected<Json, acp::RpcError>;
  void OnRequest(Json id, const std::string& method, const Json& params);
  void OnNotification(const std::string& method, const Json& params);
  // nullopt: the answer comes later.
  std::optional<Answer> Dispatch(const Json& id, const std::string& method, const Json& params);

  Answer Initialize(const Json& params);
  Answer Authenticate(const Json& params) const;
  std::optional<Answer> New(const Json& id, const Json& params);
  std::optional<Answer> Load(const Json& id, const Json& params, bool replay);
  Answer List(const Json& params);
  std::optional<Answer> Close(const Json& id, const Json& params, bool and_delete);
  std::optional<Answer> Prompt(const Json& id, const Json& params);
  Answer SetMode(const Json& params);
  Answer SetOption(const Json& params);

  OptionState InitialOptions();
  Json SessionState(const LiveSession& session) const;
  std::shared_ptr<LiveSession> FindLive(const std::string& id);
  std::shared_ptr<LiveSession> TakeLive(const std::string& id);
  std::shared_ptr<LiveSession> EndLife(const std::string& id);
  void Reap();

  FaceContext context_;
  const FaceOptions options_;
  bool initialized_ = false;
  // On the thread of Run, and of Shutdown after it.
  std::map<std::string, std::shared_ptr<LiveSession>> sessions_;
  std::vector<std::shared_ptr<LiveSession>> ending_;
};

}  // namespace gptoss::agents
