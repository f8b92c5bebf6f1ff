#include "harmony/render.h"

#include <algorithm>
#include <string_view>

#include "harmony/sampled_ids.h"
#include "harmony/schema_text.h"

namespace gptoss::harmony {
namespace {

constexpr std::string_view kConstrainName = "<|constrain|>";

std::string_view RoleInErrors(Role role) {
  switch (role) {
    case Role::kSystem:
      return "System";
    case Role::kDeveloper:
      return "Developer";
    case Role::kUser:
      return "User";
    case Role::kAssistant:
      return "Assistant";
    case Role::kTool:
      return "Tool";
  }
  return "User";
}

void AddSection(std::string_view section, std::string& out, bool& first) {
  if (!first) out += "\n\n";
  out += section;
  first = false;
}

std::string SystemText(const SystemContent& content, bool has_functions) {
  std::string top;
  auto add_line = [&top, any = false](std::string_view line) mutable {
    if (any) top += '\n';
    top += line;
    any = true;
  };
  if (content.model_identity) add_line(*content.model_identity);
  if (content.knowledge_cutoff) add_line("Knowledge cutoff: " + *content.knowledge_cutoff);
  if (content.conversation_start_date) add_line("Current date: " + *content.conversation_start_date);

  std::string out;
  bool first = true;
  if (content.model_identity || content.knowledge_cutoff || content.conversation_start_date) {
    AddSection(top, out, first);
  }
  if (content.reasoning_effort) {
    AddSection("Reasoning: " + std::string(ReasoningEffortName(*content.reasoning_effort)), out, first);
  }
  if (content.tools && !content.tools->empty()) AddSection(ToolsSection(*content.tools), out, first);
  if (content.channel_config && !content.channel_config->valid_channels.empty()) {
    std::string line = "# Valid channels: ";
    const std::vector<std::string>& channels = content.channel_config->valid_channels;
    for (std::size_t i = 0; i < channels.size(); ++i) line += (i == 0 ? "" : ", ") + channels[i];
    line += ".";
    if (content.channel_config->channel_required) line += " Channel must be included for every message.";
    if (has_functions) line += "\nCalls to these tools must go to the commentary channel: 'functions'.";
    AddSection(line, out, first);
  }
  return out;
}

std::string DeveloperText(const DeveloperContent& content) {
  std::string out;
  bool first = true;
  if (content.instructions) {
    AddSection("# Instructions", out, first);
    AddSection(*content.instructions, out, first);
  }
  if (content.tools && !content.tools->empty()) AddSection(ToolsSection(*content.tools), out, first);
  return out;
}

bool HasFunctions(const Conversation& conversation) {
  for (const Message& message : conversation.messages) {
    for (const Content& item : message.content) {
      const auto* developer = std::get_if<DeveloperContent>(&item);
      if (developer == nullptr || !developer->tools) continue;
      for (const auto& [key, space] : *developer->tools) {
        if (key == "functions" && !space.tools.empty()) return true;
      }
    }
  }
  return false;
}

bool OnChannel(const Message& message, std::string_view channel) { return message.channel == channel; }

// Analysis messages before this index are left out.
std::size_t DropLimit(const std::vector<Message>& messages, AnalysisDrop drop) {
  if (drop == AnalysisDrop::kNone) return 0;
  if (drop == AnalysisDrop::kOfficial) {
    const auto last = std::find_if(messages.rbegin(), messages.rend(),
                                   [](const Message& message) { return message.role == Role::kAssistant; });
    if (last == messages.rend() || !OnChannel(*last, "final")) return 0;
    const auto first = std::find_if(messages.begin(), messages.end(),
                                    [](const Message& message) { return OnChannel(message, "final"); });
    return static_cast<std::size_t>(first - messages.begin());
  }
  // A turn is finished by the assistant's answer; a final with a recipient is a call, the turn goes on.
  const auto last = std::find_if(messages.rbegin(), messages.rend(), [](const Message& message) {
    return message.role == Role::kAssistant && OnChannel(message, "final") && !message.recipient;
  });
  return static_cast<std::size_t>(messages.rend() - last);
}

class Renderer {
 public:
  Renderer(const Tokenizer& tokenizer, bool has_functions)
      : tokenizer_(tokenizer), has_functions_(has_functions) {}

  void Control(TokenId id, std::string_view name) {
    if (id < 0 && missing_.empty()) missing_ = name;
    out_.ids.push_back(id);
    out_.text += name;
  }

  // One part is tokenized on its own: the ids depend on where the parts are cut.
  void Text(std::string_view text) {
    tokenizer_.EncodeText(text, out_.ids);
    out_.text += text;
  }

  Status Add(const Message& message) {
    if (!message.ids.empty() && IdsSayTheMessage(message, tokenizer_)) {
      out_.ids.insert(out_.ids.end(), message.ids.begin(), message.ids.end());
      out_.text += tokenizer_.Decode(message.ids);
      return {};
    }
    const SpecialTokens& special = tokenizer_.special();
    Control(special.start, "<|start|>");
    if (message.role == Role::kTool) {
      if (!message.name) return Fail(ErrorCode::kInvalidArgument, "Tools should have a name!");
      Text(*message.name);
    } else {
      Text(std::string(RoleName(message.role)) + (message.name ? ":" + *message.name : ""));
    }
    if (message.recipient && *message.recipient != "all") Text(" to=" + *message.recipient);
    if (message.channel) {
      Control(special.channel, "<|channel|>");
      Text(*message.channel);
    }
    if (message.content_type) AddContentType(*message.content_type);
    Control(special.message, "<|message|>");
    for (const Content& item : message.content) GPTOSS_CHECK_OK(AddContent(item, message.role));
    if (message.role == Role::kAssistant && message.recipient) {
      Control(special.call, "<|call|>");
    } else {
      Control(special.end, "<|end|>");
    }
    return {};
  }

  void AddPromptTail() {
    Control(tokenizer_.special().start, "<|start|>");
    Text("assistant");
  }

  // Training: the last answer ends as the model is to end it.
  void EndInReturn(bool ends_in_call) {
    out_.ids.pop_back();
    out_.text.resize(out_.text.size() - (ends_in_call ? std::size_t{8} : std::size_t{7}));
    Control(tokenizer_.special().return_, "<|return|>");
  }

  Result<Rendered> Take() {
    if (!missing_.empty()) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "the tokenizer has no " + missing_ +
                      " token, so it cannot speak Harmony; use the model's own "
                      "tokenizer.json");
    }
    return std::move(out_);
  }

 private:
  void AddContentType(std::string_view type) {
    if (!type.starts_with(kConstrainName)) {
      Text(" " + std::string(type));
      return;
    }
    Text(" ");
    Control(tokenizer_.special().constrain, kConstrainName);
    Text(type.substr(kConstrainName.size()));
  }

  Status AddContent(const Content& item, Role role) {
    if (const auto* text = std::get_if<std::string>(&item)) {
      Text(*text);
    } else if (const auto* system = std::get_if<SystemContent>(&item)) {
      if (role != Role::kSystem) return Misplaced("SystemContent may only appear in system messages", role);
      Text(SystemText(*system, has_functions_));
    } else if (const auto* developer = std::get_if<DeveloperContent>(&item)) {
      if (role != Role::kDeveloper) {
        return Misplaced("DeveloperContent may only appear in developer messages", role);
      }
      Text(DeveloperText(*developer));
    }
    return {};
  }

  static Status Misplaced(std::string_view rule, Role role) {
    return Fail(ErrorCode::kInvalidArgument,
                std::string(rule) + ", found in " + std::string(RoleInErrors(role)));
  }

  const Tokenizer& tokenizer_;
  bool has_functions_;
  std::string missing_;
  Rendered out_;
};

}  // namespace

Result<Rendered> Render(const Conversation& conversation, const Tokenizer& tokenizer,
                        const RenderOptions& options) {
  const std::vector<Message>& messages = conversation.messages;
  Renderer renderer(tokenizer, HasFunctions(conversation));
  const std::size_t limit = DropLimit(messages, options.drop);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (i < limit && OnChannel(messages[i], "analysis")) continue;
    GPTOSS_CHECK_OK(renderer.Add(messages[i]));
  }
  if (options.mode == RenderMode::kCompletion) renderer.AddPromptTail();
  if (options.mode == RenderMode::kTraining && !messages.empty()) {
    const Message& last = messages.back();
    if (last.role == Role::kAssistant && OnChannel(last, "final")) {
      renderer.EndInReturn(last.recipient.has_value());
    }
  }
  return renderer.Take();
}

}  // namespace gptoss::harmony
