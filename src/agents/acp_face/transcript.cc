#include "agents/acp_face/transcript.h"

#include <map>
#include <utility>

namespace gptoss::agents {
namespace {

bool IsText(const Json& chunk) {
  const auto content = chunk.find("content");
  return content != chunk.end() && content->is_object() && TextOf(*content, "type") == "text" &&
         content->contains("text") && (*content)["text"].is_string();
}

class Story {
 public:
  explicit Story(const acp::ClientTraits& client) : client_(client) {}

  void Add(Json update) {
    const std::string tag = TextOf(update, "sessionUpdate");
    if (tag == "tool_call") {
      const std::string id = TextOf(update, "toolCallId");
      const std::string status = TextOf(update, "status");
      calls_[id] = updates_.size();
      updates_.push_back(std::move(update));
      // Its end comes right behind it, and is filled in by what follows.
      updates_.push_back({{"sessionUpdate", "tool_call_update"}, {"toolCallId", id}, {"status", status}});
    } else if (tag == "tool_call_update") {
      const auto call = calls_.find(TextOf(update, "toolCallId"));
      if (call == calls_.end()) return;
      Json& end = updates_[call->second + 1];
      for (auto& [key, value] : update.items()) end[key] = value;
    } else if (tag == "plan") {
      if (plan_) updates_[*plan_] = nullptr;
      plan_ = updates_.size();
      updates_.push_back(std::move(update));
    } else if (tag.starts_with("compaction")) {
      if (client_.compaction) updates_.push_back(std::move(update));
    } else if (!tag.empty()) {
      AddChunk(std::move(update));
    }
  }

  std::vector<Json> Take() {
    std::vector<Json> told;
    for (Json& update : updates_) {
      if (update.is_null()) continue;
      if (TextOf(update, "sessionUpdate") == "tool_call_update") {
        const std::string status = TextOf(update, "status");
        if (status != "completed" && status != "failed") update["status"] = "failed";
      }
      told.push_back(std::move(update));
    }
    return told;
  }

 private:
  void AddChunk(Json chunk) {
    if (!updates_.empty() && updates_.back().is_object()) {
      Json& last = updates_.back();
      if (IsText(last) && IsText(chunk) && !TextOf(chunk, "messageId").empty() &&
          TextOf(last, "messageId") == TextOf(chunk, "messageId") &&
          last["sessionUpdate"] == chunk["sessionUpdate"] && last["sessionUpdate"] != "user_message_chunk") {
        last["content"]["text"].get_ref<std::string&>() +=
            chunk["content"]["text"].get_ref<const std::string&>();
        return;
      }
    }
    updates_.push_back(std::move(chunk));
  }

  const acp::ClientTraits& client_;
  std::vector<Json> updates_;
  std::map<std::string, std::size_t> calls_;  // where each begins
  std::optional<std::size_t> plan_;
};

}  // namespace

bool BelongsToTranscript(const acp::Update& update) {
  if (const auto* call = std::get_if<acp::ToolCall>(&update)) return !call->transient;
  if (const auto* compaction = std::get_if<acp::Compaction>(&update))
    return compaction->status != "in_progress";
  return std::holds_alternative<acp::MessageChunk>(update) || std::holds_alternative<acp::Plan>(update);
}

std::vector<Json> Replay(const std::vector<std::string>& items, const acp::ClientTraits& client) {
  Story story(client);
  for (const std::string& item : items) {
    auto update = ParseJson(item);
    if (update && update->is_object()) story.Add(std::move(*update));
  }
  return story.Take();
}

}  // namespace gptoss::agents
