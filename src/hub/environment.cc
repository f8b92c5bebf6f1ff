// The environment that users of the Hub's other clients have already set up.
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "hub/http_text.h"
#include "hub/hub_client.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

std::string Get(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// The first of them that is set to something.
std::string FirstOf(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (std::string value = Get(name); !value.empty()) return value;
  }
  return "";
}

// 1, ON, YES, TRUE in any case, as Python's client reads them.
bool IsTrue(const char* name) {
  std::string value = Get(name);
  std::ranges::transform(value, value.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::string Home() {
  if (std::string home = Get("HOME"); !home.empty()) return home;
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr && entry->pw_dir != nullptr ? entry->pw_dir : "";
}

// "~/x" and "$NAME/x", "${NAME}/x".
std::string Expand(const std::string& path) {
  std::string expanded;
  std::size_t i = 0;
  if (path == "~" || path.starts_with("~/")) {
    expanded = Home();
    i = 1;
  }
  while (i < path.size()) {
    if (path[i] != '$') {
      expanded += path[i++];
      continue;
    }
    const bool braced = i + 1 < path.size() && path[i + 1] == '{';
    std::size_t end = i + (braced ? 2 : 1);
    const std::size_t start = end;
    while (end < path.size() && (std::isalnum(static_cast<unsigned char>(path[end])) || path[end] == '_'))
      ++end;
    const std::string name = path.substr(start, end - start);
    const bool closed = !braced || (end < path.size() && path[end] == '}');
    if (name.empty() || !closed || std::getenv(name.c_str()) == nullptr) {
      expanded += path[i++];  // an unknown name stays as it is
      continue;
    }
    expanded += Get(name.c_str());
    i = end + (braced ? 1 : 0);
  }
  return expanded;
}

std::string HubHome() {
  if (const std::string home = Get("HF_HOME"); !home.empty()) return Expand(home);
  if (const std::string cache = Get("XDG_CACHE_HOME"); !cache.empty()) return Expand(cache) + "/huggingface";
  return Home() + "/.cache/huggingface";
}

std::string Clean(std::string token) {
  const auto blank = [](char c) { return c == ' ' || c == '\r' || c == '\n' || c == '\t'; };
  while (!token.empty() && blank(token.back())) token.pop_back();
  while (!token.empty() && blank(token.front())) token.erase(0, 1);
  return token;
}

std::string Token() {
  if (IsTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return "";
  if (std::string token = Clean(FirstOf({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})); !token.empty())
    return token;
  const std::string named = Get("HF_TOKEN_PATH");
  const fs::path path = named.empty() ? fs::path(HubHome()) / "token" : fs::path(Expand(named));
  const auto text = ReadFile(path, 64 * 1024);
  return text ? Clean(*text) : "";
}

// Seconds, also as a fraction: "0.5".
void ReadSeconds(const char* name, std::chrono::milliseconds& value) {
  const std::string text = Get(name);
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(seconds > 0) || seconds > 86'400) return;
  value = std::chrono::milliseconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds * 1000)));
}

template <typename T>
void ReadNumber(const char* name, std::uint64_t least, std::uint64_t most, T& value) {
  const auto number = ParseDecimal(Get(name));
  if (number && *number >= least && *number <= most) value = static_cast<T>(*number);
}

}  // namespace

HubOptions HubOptionsFromEnvironment() {
  HubOptions options;
  if (std::string endpoint = Get("HF_ENDPOINT"); !endpoint.empty()) options.endpoint = std::move(endpoint);
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  options.token = Token();
  const std::string cache = FirstOf({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  options.cache_dir = cache.empty() ? HubHome() + "/hub" : Expand(cache);
  options.offline = IsTrue("HF_HUB_OFFLINE") || IsTrue("TRANSFORMERS_OFFLINE");
  options.use_symlinks = !IsTrue("HF_HUB_DISABLE_SYMLINKS");
  ReadSeconds("HF_HUB_ETAG_TIMEOUT", options.connect_timeout);
  ReadSeconds("HF_HUB_DOWNLOAD_TIMEOUT", options.stall_timeout);
  ReadNumber("GPTOSS_HUB_RETRY_LIMIT", 1, 1000, options.retry_limit);
  std::uint64_t base = static_cast<std::uint64_t>(options.retry_base.count());
  ReadNumber("GPTOSS_HUB_RETRY_BASE_MS", 1, 600'000, base);
  options.retry_base = std::chrono::milliseconds(base);
  ReadNumber("GPTOSS_HUB_PART_BYTES", 4096, 1ULL << 40, options.part_bytes);
  ReadNumber("GPTOSS_HUB_CONNECTIONS", 1, 64, options.max_connections);
  ReadNumber("GPTOSS_HUB_MIN_RATE", 0, 1ULL << 40, options.min_rate_bytes);
  ReadNumber("GPTOSS_HUB_DISK_MARGIN", 0, 1ULL << 50, options.disk_margin_bytes);
  return options;
}

}  // namespace gptoss::hub
