// The tools of a session, and one call from its arguments to its result: shown, allowed, run.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agents/agent.h"
#include "agents/tool.h"
#include "agents/workspace.h"

namespace gptoss::agents {

// Permissions that last, kept by whoever owns the session. A refusal for ever is kept as a rule of its own
// ("refuse edit") and goes before an allowance.
struct LastingPermissions {
  std::function<bool(std::string_view rule)> allowed;
  std::function<void(std::string_view rule)> allow;
};

struct ToolAnswer {
  std::string text;        // what the model reads
  bool malformed = false;  // the call itself could not be understood
  bool aborted = false;    // the user ended the turn instead of answering
};

// One thread at a time.
class Toolbox {
 public:
  Toolbox(const Workspace& workspace, LastingPermissions permissions)
      : workspace_(workspace), permissions_(std::move(permissions)) {}
  void Add(std::unique_ptr<Tool> tool) { tools_.push_back(std::move(tool)); }
  harmony::ToolNamespace Namespace() const;
  std::vector<std::string> Names() const;
  bool Has(std::string_view name) const { return Find(name) != nullptr; }

  // `arguments`: as the model wrote them. Tells `sink` every state of the call, the last one included.
  ToolAnswer Call(const std::string& name, const std::string& arguments, TurnSink& sink,
                  const CancelToken& cancel);

 private:
  enum class Verdict { kAllowed, kRefused, kAborted };
  Tool* Find(std::string_view name) const;
  Verdict Allow(const acp::ToolCall& call, const ToolPreview& preview, TurnSink& sink);

  const Workspace& workspace_;
  const LastingPermissions permissions_;
  std::vector<std::unique_ptr<Tool>> tools_;
};

// The builtin ones. `few`: those with one simple argument, for models that know little.
void AddBuiltinTools(Toolbox& toolbox, bool few);

}  // namespace gptoss::agents
