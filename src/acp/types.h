// What an agent tells its client and is asked by it: values of no protocol version. v1.h writes them down.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"

namespace gptoss::acp {

// A piece of a prompt. `source` is the block as it came, for faithful replay.
struct ContentBlock {
  enum class Type : std::uint8_t { kText, kImage, kAudio, kResourceLink, kResource };
  Type type = Type::kText;
  std::string text;             // kText; kResource with text
  bool has_text = true;         // kResource: false for a blob
  std::string uri, name, mime;  // kResourceLink, kResource
  Json source;
};

enum class MessageKind : std::uint8_t { kUser, kAgent, kThought };
struct MessageChunk {
  MessageKind kind = MessageKind::kAgent;
  std::string message_id;  // the same for all chunks of one message
  std::string text;        // whole UTF-8
  Json block;              // instead of `text`: a content block as it came; null: none
};

enum class ToolKind : std::uint8_t {
  kRead,
  kEdit,
  kDelete,
  kMove,
  kSearch,
  kExecute,
  kThink,
  kFetch,
  kOther
};
enum class ToolStatus : std::uint8_t { kPending, kInProgress, kCompleted, kFailed };

struct ToolText {
  std::string text;
};
struct ToolDiff {
  std::string path;                     // absolute
  std::optional<std::string> old_text;  // none: a new file
  std::string new_text;
};
struct ToolTerminal {  // a display terminal of ours (docs/acp.md), only for clients that asked for it
  std::string id;
};
using ToolContent = std::variant<ToolText, ToolDiff, ToolTerminal>;

struct Location {
  std::string path;                   // absolute
  std::optional<std::uint32_t> line;  // from 1
};

// The first of an id creates the call. What is not set stays as it was; `content` and `locations` replace.
struct ToolCall {
  std::string id;
  bool creates = false;
  std::optional<std::string> title, name;
  std::optional<ToolKind> kind;
  std::optional<ToolStatus> status;
  std::optional<std::vector<ToolContent>> content;
  std::optional<std::vector<Location>> locations;
  std::optional<Json> raw_input, raw_output;
  Json meta;               // null: none
  bool transient = false;  // not part of the transcript: progress that the end makes superfluous
};

struct PlanEntry {
  std::string content;
  std::string status = "pending";  // "in_progress", "completed"
};
struct Plan {
  std::vector<PlanEntry> entries;
};

struct Usage {
  std::uint64_t used = 0, size = 0;  // tokens in the context now; its room
};
struct Notice {
  std::string severity = "info";  // "warning", "error"
  std::string title;
  std::string description;
};
struct Compaction {
  std::string id, status;  // "in_progress", "completed", "failed", "cancelled"
  std::string summary, error;
};
// The summary as it is written; the end has it whole.
struct CompactionText {
  std::string id, text;
};
struct SessionTitle {
  std::string title, updated_at;  // ISO 8601
};
struct Command {
  std::string name, description, hint;
};
struct Commands {
  std::vector<Command> commands;
};
struct ModeChanged {
  std::string mode;
};

struct OptionValue {
  std::string value, name, description;
};
struct ConfigOption {
  std::string id, name, description, category;
  std::string current;              // of a switch: "on" or "off"
  std::vector<OptionValue> values;  // of a switch: on and off, for clients that know no switches
  bool is_switch = false;
};
struct OptionsChanged {
  std::vector<ConfigOption> options;  // all of them
};

using Update = std::variant<MessageChunk, ToolCall, Plan, Usage, Notice, Compaction, CompactionText,
                            SessionTitle, Commands, ModeChanged, OptionsChanged>;

struct Mode {
  std::string id, name, description;
};
struct Modes {
  std::string current;
  std::vector<Mode> available;
};

enum class StopReason : std::uint8_t { kEndTurn, kMaxTokens, kMaxTurnRequests, kRefusal, kCancelled };

// What a client says of itself.
struct ClientTraits {
  bool read_files = false, write_files = false, terminals = false;
  bool boolean_options = false, notices = false, compaction = false, terminal_auth = false;
  bool elicitation_form = false, elicitation_url = false;
  bool display_terminals = false;  // _meta.terminal_output
};

struct McpServer {
  std::string name;
  enum class Kind : std::uint8_t { kStdio, kHttp, kSse };
  Kind kind = Kind::kStdio;
  std::string command;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
};

// session/new, load and resume. `id` is empty for new.
struct OpenSession {
  std::string id, folder;
  std::vector<std::string> more_folders;
  std::vector<McpServer> mcp_servers;
};

struct ListFilter {
  std::optional<std::string> folder;
  std::string cursor;  // "": from the beginning
};

struct PermissionOption {
  std::string id, name, kind;  // "allow_once", "allow_always", "reject_once", "reject_always"
};
struct PermissionOutcome {
  enum class Kind : std::uint8_t {
    kSelected,
    kCancelled,
    kDenied
  };  // kDenied: an error or nonsense came back
  Kind kind = Kind::kDenied;
  std::string option;
};

// A question to the user with fields to fill in, only for clients with elicitation_form. Nothing secret is
// asked this way.
struct FormField {
  std::string id, title, description;
  std::vector<std::string> choices;  // one of these; empty: any text
  bool required = true;
};
struct Form {
  std::string message;
  std::string tool_call;  // that asks; "": none
  std::vector<FormField> fields;
};
struct FormOutcome {
  enum class Kind : std::uint8_t { kAccepted, kDeclined, kDismissed, kCancelled, kFailed };
  Kind kind = Kind::kFailed;  // kCancelled: the turn is; kFailed: an error or nonsense came back
  std::vector<std::pair<std::string, std::string>> answers;  // kAccepted: by the field's id
};

// A command in a terminal of the client, only for clients with `terminals`.
struct TerminalCommand {
  std::string command;
  std::vector<std::string> arguments;
  std::string folder;  // absolute
  std::uint64_t output_limit = 0;
};
struct TerminalExit {
  std::optional<std::int64_t> code;
  std::optional<std::string> signal;
};
struct TerminalOutput {
  std::string output;
  bool truncated = false;
};

struct SessionEntry {
  std::string id, folder, title, updated_at;
  std::vector<std::string> more_folders;
};

}  // namespace gptoss::acp
