#include "provider/session.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>
#include <variant>

#include "platform/system.h"

namespace gptoss {

Session::Session(SessionId id, harmony::Conversation history, Runner run, std::size_t max_waiting)
    : id_(std::move(id)), run_(std::move(run)), max_waiting_(max_waiting), history_(std::move(history)) {}

Session::~Session() {
  Close();
  if (thread_.joinable()) thread_.join();
}

Status Session::Submit(TurnJob job) {
  std::lock_guard lock(mutex_);
  if (closed_) return Fail(ErrorCode::kNotFound, fmt::format("session {} has ended", id_));
  if (waiting_.size() >= max_waiting_) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("{} prompts wait in this session already; wait for an answer or cancel", max_waiting_));
  }
  if (!working_) {
    // The last worker has left its loop (working_ changes under the lock), so that this does not wait long.
    if (thread_.joinable()) thread_.join();
    try {
      thread_ = std::thread([this] { Work(); });
    } catch (const std::system_error& error) {
      return Fail(ErrorCode::kResourceExhausted, fmt::format("cannot start a thread: {}", error.what()));
    }
    working_ = true;
  }
  waiting_.push_back(std::make_shared<TurnJob>(std::move(job)));
  return {};
}

void Session::Work() {
  NameThisThread("gptoss-session");
  std::unique_lock lock(mutex_);
  while (!waiting_.empty()) {
    running_ = std::move(waiting_.front());
    waiting_.pop_front();
    harmony::Conversation history = history_;
    const std::shared_ptr<TurnJob> job = running_;
    bool interrupted = true;
    const OnDone told = std::move(job->on_done);
    StreamDone done;
    job->on_done = [&](const StreamDone& end) { done = end; };
    lock.unlock();
    run_(id_, history, *job);
    lock.lock();
    // Whoever hears of the end may look at the session at once and finds it as it is after the turn.
    interrupted = done.end == TurnEnd::kCancelled || done.end == TurnEnd::kError;
    history_ = std::move(history);
    interrupted_ = interrupted;
    running_.reset();
    lock.unlock();
    try {
      if (told) told(done);
    } catch (...) {  // a reader's trouble is its own
    }
    lock.lock();
  }
  working_ = false;
}

void Session::Cancel() {
  std::lock_guard lock(mutex_);
  if (running_) running_->cancel.Cancel();
  for (const auto& job : waiting_) job->cancel.Cancel();
}

void Session::Close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  Cancel();
}

bool Session::idle() const {
  std::lock_guard lock(mutex_);
  return !working_;
}

SessionInfo Session::Info() const {
  std::lock_guard lock(mutex_);
  return {.id = id_,
          .messages = history_.messages.size(),
          .busy = running_ != nullptr || !waiting_.empty(),
          .interrupted = interrupted_};
}

harmony::Conversation Session::Snapshot() const {
  std::lock_guard lock(mutex_);
  return history_;
}

void Session::ClearInterruption() {
  std::lock_guard lock(mutex_);
  interrupted_ = false;
}

// ---- the head of a conversation --------------------------------------------------------------------------

namespace {

template <typename T>
T* Find(harmony::Conversation& conversation) {
  for (harmony::Message& message : conversation.messages) {
    for (harmony::Content& content : message.content) {
      if (auto* found = std::get_if<T>(&content)) return found;
    }
  }
  return nullptr;
}

}  // namespace

void SetEffort(harmony::Conversation& conversation, harmony::ReasoningEffort effort) {
  if (auto* system = Find<harmony::SystemContent>(conversation)) system->reasoning_effort = effort;
}

void SetTools(harmony::Conversation& conversation, harmony::ToolNamespace tools) {
  auto* developer = Find<harmony::DeveloperContent>(conversation);
  if (developer == nullptr) {
    auto& messages = conversation.messages;
    const auto at = messages.empty() || messages.front().role != harmony::Role::kSystem
                        ? messages.begin()
                        : messages.begin() + 1;
    developer = &std::get<harmony::DeveloperContent>(
        messages.insert(at, harmony::DeveloperMessage({}))->content.front());
  }
  if (tools.tools.empty()) {
    developer->tools.reset();
    return;
  }
  tools.name = "functions";
  developer->tools = harmony::ToolNamespaces{{"functions", std::move(tools)}};
}

harmony::Conversation NewConversation(const SessionOptions& options, harmony::ReasoningEffort effort) {
  harmony::Conversation conversation;
  conversation.messages.push_back(harmony::SystemMessage(DefaultSystemContent(effort, options.date)));
  if (!options.instructions.empty()) {
    conversation.messages.push_back(harmony::DeveloperMessage({.instructions = options.instructions}));
  }
  return conversation;
}

}  // namespace gptoss
