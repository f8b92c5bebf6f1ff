// A TurnSink for tests: keeps what it is told and answers permissions as the test says.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agents/agent.h"

namespace gptoss::agents::testing {

class RecordingSink final : public TurnSink {
 public:
  acp::ClientTraits traits;
  // Which option is chosen; "" cancels the turn. Default: the first, which allows once.
  std::function<std::string(const acp::ToolCall&, const std::vector<acp::PermissionOption>&)> choose =
      [](const auto&, const auto& options) { return options.front().id; };
  std::map<std::string, std::string> client_files;
  std::string give_all;    // not "": the answer to every read
  bool cancelled = false;  // the turn was, when a file is read
  std::vector<std::string> client_reads;
  bool refuse_writes = false;
  std::vector<acp::Form> forms;
  acp::FormOutcome form_outcome;

  const acp::ClientTraits& client() const override { return traits; }
  void Emit(const acp::Update& update) override {
    std::lock_guard lock(mutex_);
    updates_.push_back(update);
  }
  acp::PermissionOutcome Ask(const acp::ToolCall& call,
                             const std::vector<acp::PermissionOption>& options) override {
    ++asked;
    const std::string option = choose(call, options);
    if (option.empty()) return {.kind = acp::PermissionOutcome::Kind::kCancelled, .option = {}};
    return {.kind = acp::PermissionOutcome::Kind::kSelected, .option = option};
  }
  Result<std::string> ReadThroughClient(const std::string& path) override {
    client_reads.push_back(path);
    if (cancelled) return Fail(ErrorCode::kCancelled, "cancelled");
    if (!give_all.empty()) return give_all;
    const auto found = client_files.find(path);
    if (found == client_files.end()) return Fail(ErrorCode::kNotFound, "no such file in the editor");
    return found->second;
  }
  Status WriteThroughClient(const std::string& path, std::string_view text) override {
    if (refuse_writes) return Fail(ErrorCode::kInternal, "the client answered: read only");
    client_files[path] = text;
    return {};
  }
  Result<std::unique_ptr<ClientTerminal>> OpenTerminal(const acp::TerminalCommand&) override {
    return Fail(ErrorCode::kUnsupported, "no terminals in a test");
  }
  acp::FormOutcome AskForm(const acp::Form& form) override {
    forms.push_back(form);
    return form_outcome;
  }
  Json trace_context() const override { return nullptr; }
  Status Choose(std::string_view option, std::string_view value) override {
    chosen.emplace_back(option, value);
    return {};
  }

  std::vector<acp::Update> updates() const {
    std::lock_guard lock(mutex_);
    return updates_;
  }
  template <typename T>
  std::vector<T> Of() const {
    std::vector<T> found;
    for (const acp::Update& update : updates()) {
      if (const auto* one = std::get_if<T>(&update)) found.push_back(*one);
    }
    return found;
  }
  // What was said, joined.
  std::string Text(acp::MessageKind kind) const {
    std::string text;
    for (const auto& chunk : Of<acp::MessageChunk>()) {
      if (chunk.kind == kind) text += chunk.text;
    }
    return text;
  }

  int asked = 0;
  std::vector<std::pair<std::string, std::string>> chosen;

 private:
  mutable std::mutex mutex_;
  std::vector<acp::Update> updates_;
};

}  // namespace gptoss::agents::testing
