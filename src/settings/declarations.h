// Every setting, declared once. The command line, the configuration file, the environment, `gptoss config`
// and docs/settings.md are all made from this table. A new setting is one entry here (and its line in the
// docs, which a test asks for).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gptoss {

enum class SettingType : std::uint8_t {
  kBool,      // true, false
  kInteger,   // std::int64_t
  kNumber,    // double
  kString,    // any text of one line
  kEnum,      // one of `choices`
  kDuration,  // settings/units.h
  kBytes,     // settings/units.h
  kPath,      // absolute, or beginning with ~/
};
std::string_view SettingTypeName(SettingType type);  // "bool", "integer" …

// All texts are as a user would write them, so that one parser serves defaults, ranges and files.
struct Declaration {
  std::string_view name;  // "memory.idle_unload": section and key of the configuration file
  SettingType type;
  std::string_view fallback;  // the default; "": none, and then the setting may be unset ("none")
  std::string_view help;      // one sentence without its full stop
  std::string_view minimum = {}, maximum = {};  // inclusive; "": no limit
  std::string_view choices = {};                // "low|medium|high"; for kEnum and kInteger
  std::string_view unit = {};                   // "tokens"; for people
  std::string_view environment = {};            // where it is not GPTOSS_ and the name
  std::string_view flag = {};                   // of the commands that have one: "--temperature"
  bool may_be_never = false;                    // kDuration
};

// Limits of sampling are those of ValidateSampling (engine/engine.h).
inline constexpr auto kDeclarations = std::to_array<Declaration>({
    {.name = "model.default",
     .type = SettingType::kString,
     .fallback = "",
     .help = "Model to use where a command names none: a folder, a .gguf file or an installed model's name; "
             "none: the embedded demo",
     .environment = "GPTOSS_MODEL",
     .flag = "--model"},

    {.name = "generation.temperature",
     .type = SettingType::kNumber,
     .fallback = "0.7",
     .help = "Chance in the choice of tokens; 0 always takes the likeliest",
     .minimum = "0",
     .maximum = "100",
     .flag = "--temperature"},
    {.name = "generation.top_p",
     .type = SettingType::kNumber,
     .fallback = "0.9",
     .help = "Sample from the likeliest tokens of this total probability; 1 is off",
     .minimum = "0",
     .maximum = "1",
     .flag = "--top-p"},
    {.name = "generation.top_k",
     .type = SettingType::kInteger,
     .fallback = "0",
     .help = "Sample from this many likeliest tokens; 0 is off",
     .minimum = "0",
     .maximum = "2147483647",
     .flag = "--top-k"},
    {.name = "generation.min_p",
     .type = SettingType::kNumber,
     .fallback = "0",
     .help = "Drop tokens less likely than this part of the likeliest; 0 is off",
     .minimum = "0",
     .maximum = "1",
     .flag = "--min-p"},
    {.name = "generation.seed",
     .type = SettingType::kInteger,
     .fallback = "",
     .help = "The same seed gives the same answer on the same machine; none: a fresh one each time",
     .minimum = "0",
     .flag = "--seed"},
    {.name = "generation.max_tokens",
     .type = SettingType::kInteger,
     .fallback = "",
     .help = "Stop an answer after this many tokens, reasoning included; none: when the context is full",
     .minimum = "1",
     .unit = "tokens",
     .flag = "--max-tokens"},
    {.name = "generation.reasoning_effort",
     .type = SettingType::kEnum,
     .fallback = "medium",
     .help = "How long the model reasons before it answers",
     .choices = "low|medium|high",
     .flag = "--effort"},

    {.name = "engine.threads",
     .type = SettingType::kInteger,
     .fallback = "0",
     .help = "Threads that compute; 0 takes all usable CPUs",
     .minimum = "0",
     .maximum = "1024",
     .flag = "--threads"},
    {.name = "engine.precise",
     .type = SettingType::kBool,
     .fallback = "false",
     .help = "Compute with float activations: slower, closest to the model",
     .flag = "--precise"},

    {.name = "memory.floor",
     .type = SettingType::kBytes,
     .fallback = "16GB",
     .help = "Machines with less memory in total do not load the 20B model",
     .minimum = "1GB",
     .maximum = "1TB"},
    {.name = "memory.advised",
     .type = SettingType::kBytes,
     .fallback = "24GB",
     .help = "Machines with less memory in total are told so before the 20B model is loaded",
     .minimum = "1GB",
     .maximum = "1TB"},
    {.name = "memory.bound",
     .type = SettingType::kBytes,
     .fallback = "",
     .help = "The most resident memory of the process; new work shrinks, waits or is refused before it is "
             "crossed; none: what the machine has",
     .minimum = "64MB",
     .maximum = "16TB"},
    {.name = "memory.idle_unload",
     .type = SettingType::kDuration,
     .fallback = "10m",
     .help = "A model that nobody uses for this long is unloaded; the next prompt loads it again",
     .minimum = "1s",
     .maximum = "365d",
     .may_be_never = true},
    {.name = "memory.preload",
     .type = SettingType::kBool,
     .fallback = "false",
     .help = "Load the model when a server or agent starts, not at the first prompt"},
    {.name = "memory.kv_bits",
     .type = SettingType::kInteger,
     .fallback = "16",
     .help = "Bits per key and value of the conversation; 8 halves the memory of a long context",
     .choices = "8|16",
     .unit = "bits"},
    {.name = "memory.context_tokens",
     .type = SettingType::kInteger,
     .fallback = "",
     .help = "Room for a conversation; none: what the model was made for",
     .minimum = "256",
     .maximum = "16777216",
     .unit = "tokens",
     .flag = "--context"},
    {.name = "memory.pressure_policy",
     .type = SettingType::kEnum,
     .fallback = "finish",
     .help =
         "What becomes of running answers when the system is short of memory, before the model is unloaded",
     .choices = "finish|cancel"},

    {.name = "stream.buffer_chunks",
     .type = SettingType::kInteger,
     .fallback = "64",
     .help = "Chunks that may wait for a slow reader before generation pauses",
     .minimum = "1",
     .maximum = "65536",
     .unit = "chunks"},

    {.name = "hub.endpoint",
     .type = SettingType::kString,
     .fallback = "https://huggingface.co",
     .help = "Where models are downloaded from"},
    {.name = "hub.cache_dir",
     .type = SettingType::kPath,
     .fallback = "",
     .help =
         "Cache for models, shared with the other tools of the Hub: what one of them has fetched, all find; "
         "none: HF_HUB_CACHE, else the folder hub in HF_HOME, else ~/.cache/huggingface/hub"},
    {.name = "hub.token_file",
     .type = SettingType::kPath,
     .fallback = "",
     .help = "File whose first line is the access token for downloads; none: HF_TOKEN, else no token"},
    {.name = "hub.max_connections",
     .type = SettingType::kInteger,
     .fallback = "8",
     .help = "Connections of one download",
     .minimum = "1",
     .maximum = "32",
     .unit = "connections"},
    {.name = "hub.part_size",
     .type = SettingType::kBytes,
     .fallback = "4MiB",
     .help = "Least bytes of a download that get a connection of their own",
     .minimum = "64KiB",
     .maximum = "1GiB"},
    {.name = "hub.retry_limit",
     .type = SettingType::kInteger,
     .fallback = "8",
     .help = "Tries without any progress before a download gives up",
     .minimum = "1",
     .maximum = "1000",
     .unit = "tries"},
    {.name = "hub.stall_timeout",
     .type = SettingType::kDuration,
     .fallback = "30s",
     .help = "A connection without a byte for this long is opened anew",
     .minimum = "1s",
     .maximum = "1h"},
    {.name = "hub.offline",
     .type = SettingType::kBool,
     .fallback = "false",
     .help = "Never use the network for models"},
    {.name = "hub.min_free_disk",
     .type = SettingType::kBytes,
     .fallback = "1GiB",
     .help = "Disk space that a download leaves free",
     .minimum = "0",
     .maximum = "1TB"},

    {.name = "telemetry.enabled",
     .type = SettingType::kBool,
     .fallback = "false",
     .help =
         "Write one line of numbers per answer to a local log; never text, never to the network (developer "
         "builds do so unless this is set to false)",
     .flag = "--telemetry"},
    {.name = "telemetry.log_max_bytes",
     .type = SettingType::kBytes,
     .fallback = "4MB",
     .help = "Size at which the log of numbers is rotated",
     .minimum = "4kB",
     .maximum = "1GB"},
    {.name = "telemetry.log_files",
     .type = SettingType::kInteger,
     .fallback = "4",
     .help = "Files of the log that are kept, the current one included",
     .minimum = "1",
     .maximum = "100",
     .unit = "files"},

    {.name = "agent.max_calls",
     .type = SettingType::kInteger,
     .fallback = "50",
     .help =
         "Calls of the model in one turn of an agent, each after its tools' results; then it stops and asks",
     .minimum = "1",
     .maximum = "10000",
     .unit = "calls"},

    {.name = "history.enabled",
     .type = SettingType::kBool,
     .fallback = "true",
     .help = "Keep conversations on disk, so that they can be resumed"},
    {.name = "history.keep",
     .type = SettingType::kDuration,
     .fallback = "never",
     .help = "Conversations untouched for this long are deleted; never: they are kept",
     .minimum = "1h",
     .maximum = "36500d",
     .may_be_never = true},

    {.name = "log.level",
     .type = SettingType::kEnum,
     .fallback = "warning",
     .help =
         "The least important kind of message about loads, memory and turns on stderr; run and chat write "
         "them where this is set",
     .choices = "off|error|warning|info|debug"},
});

inline constexpr std::size_t kSettingCount = kDeclarations.size();

// The entry of a name; nullptr: there is none.
const Declaration* FindDeclaration(std::string_view name);
// Position in kDeclarations; nullopt: no such setting.
std::optional<std::size_t> FindSetting(std::string_view name);
// "memory": what stands before the dot of some name.
bool IsSection(std::string_view name);
// "GPTOSS_MEMORY_IDLE_UNLOAD", unless the declaration says otherwise.
std::string EnvironmentName(const Declaration& declaration);
// "1 to 65536", "low, medium or high", "1s to 365d, or never"; "" when anything of the type will do.
std::string DescribeRange(const Declaration& declaration);
// The candidate that the reader most likely meant (Damerau-Levenshtein); "" when none is near.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> candidates);
std::string_view NearestSetting(std::string_view name);
// Why a variable of the environment has no effect, as a sentence: it begins like one of a section
// ("GPTOSS_MEMORY_KVBITS") and is none, nor one that other parts of the program know. "": nothing to say.
std::string MisspeltVariable(std::string_view variable);

// The position of a setting whose name and type are checked while compiling: a misspelt name does not
// compile.
template <SettingType kType, bool kOptional>
class SettingName {
 public:
  consteval SettingName(const char* name) : index_(IndexOf(name)) {}  // NOLINT: implicit by design
  constexpr std::size_t index() const { return index_; }

 private:
  static consteval std::size_t IndexOf(std::string_view name) {
    std::size_t index = 0;
    while (index < kSettingCount && kDeclarations[index].name != name) ++index;
    // An index beyond the table is no constant expression: no such setting.
    const Declaration& found = kDeclarations[index];
    const bool fits = found.type == kType && found.fallback.empty() == kOptional;
    // The same for a setting of another type, or one that may be unset and is asked for as if it were not.
    return fits ? index : kDeclarations[kSettingCount].name.size();
  }
  std::size_t index_;
};

}  // namespace gptoss
