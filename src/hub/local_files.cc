// Models that other tools keep on this machine. Only names and sizes are looked at; nothing is ever changed.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "hub/cache.h"

namespace gptoss::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kWorthFinding = 1'000'000;
constexpr int kMaxEntries = 20'000, kMaxDepth = 5;
constexpr std::size_t kMaxCandidates = 4;

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class Finder {
 public:
  explicit Finder(const std::vector<FileEntry>& files) : files_(files) {
    for (std::size_t i = 0; i < files.size(); ++i)
      if (files[i].size >= kWorthFinding) by_size_.emplace(files[i].size, i);
  }

  void LookInHubCache(const fs::path& root) {
    std::error_code error;
    for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (!name.starts_with("models--")) continue;
      std::string owner = name.substr(8);
      if (const auto dashes = owner.find("--"); dashes != owner.npos) owner.replace(dashes, 2, "/");
      for (std::size_t i = 0; i < files_.size(); ++i)
        AddNamed(i, it->path() / "blobs" / files_[i].hash.hex, owner);
      LookBySize(it->path() / "snapshots", owner);
    }
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const std::string& xet = files_[i].xet_hash;
      if (xet.size() == 64 && ParseContentHash(xet))
        AddNamed(i, root / "blobs" / xet.substr(0, 2) / xet, "the shared store of the cache");
    }
  }
  void LookInOllama(const fs::path& root) {
    for (std::size_t i = 0; i < files_.size(); ++i)
      if (files_[i].hash.is_sha256())
        AddNamed(i, root / "blobs" / ("sha256-" + files_[i].hash.hex), "Ollama");
  }
  // Regular files below `root` (links to files, as some tools make, would be found where they lead).
  void LookBySize(const fs::path& root, const std::string& owner) {
    if (by_size_.empty()) return;
    std::error_code error;
    int left = kMaxEntries;
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end && left > 0;
         it.increment(error), --left) {
      if (it.depth() >= kMaxDepth) it.disable_recursion_pending();
      struct stat info{};
      if (::lstat(it->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
      const auto [first, last] = by_size_.equal_range(static_cast<std::uint64_t>(info.st_size));
      for (auto match = first; match != last; ++match) Add(match->second, it->path(), owner, false);
    }
  }

  std::vector<std::pair<std::string, FoundFile>> Take() {
    std::vector<std::pair<std::string, FoundFile>> all;
    for (auto& [index, found] : found_) {
      const fs::path name = fs::path(files_[index].path).filename();
      // Best first: named by the hash, then of the same name.
      const auto rank = [&](const FoundFile& f) {
        return (f.named_by_hash ? 2 : 0) + (f.path.filename() == name ? 1 : 0);
      };
      // A stable order by insertion: there are a handful of them.
      for (std::size_t i = 1; i < found.size(); ++i)
        for (std::size_t j = i; j > 0 && rank(found[j]) > rank(found[j - 1]); --j)
          std::swap(found[j], found[j - 1]);
      if (found.size() > kMaxCandidates) found.resize(kMaxCandidates);
      for (FoundFile& file : found) all.emplace_back(files_[index].path, std::move(file));
    }
    return all;
  }

 private:
  void AddNamed(std::size_t index, const fs::path& path, const std::string& owner) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
        static_cast<std::uint64_t>(info.st_size) != files_[index].size) {
      return;
    }
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (!error) Add(index, real, owner, true);
  }
  void Add(std::size_t index, const fs::path& path, const std::string& owner, bool named_by_hash) {
    auto& found = found_[index];
    if (std::ranges::any_of(found, [&](const FoundFile& f) { return f.path == path; })) return;
    found.push_back(
        {.path = path, .size = files_[index].size, .owner = owner, .named_by_hash = named_by_hash});
  }

  const std::vector<FileEntry>& files_;
  std::multimap<std::uint64_t, std::size_t> by_size_;
  std::map<std::size_t, std::vector<FoundFile>> found_;
};

// Where LM Studio's user moved the models to, "" if nowhere.
fs::path LmStudioDownloads(const fs::path& home) {
  const auto text = ReadFile(home / "settings.json", 1 << 20);
  if (!text) return {};
  const auto settings = ParseJson(*text);
  if (!settings || !settings->is_object()) return {};
  const auto it = settings->find("downloadsFolder");
  return it != settings->end() && it->is_string() ? fs::path(it->get<std::string>()) : fs::path();
}

void AddFolder(std::vector<fs::path>& folders, const fs::path& folder) {
  std::error_code error;
  if (folder.empty() || !fs::is_directory(folder, error)) return;
  const auto same = [&](const fs::path& other) { return fs::equivalent(folder, other, error); };
  if (std::ranges::none_of(folders, same)) folders.push_back(folder);
}

}  // namespace

LocalFolders LocalFoldersFromEnvironment(const fs::path& hub_cache) {
  LocalFolders folders;
  const fs::path home = Environment("HOME");
  const auto set = [](const std::string& value, const char* rest) {
    return value.empty() ? fs::path() : fs::path(value) / rest;
  };
  AddFolder(folders.hub_caches, hub_cache);
  AddFolder(folders.hub_caches, Environment("HF_HUB_CACHE"));
  AddFolder(folders.hub_caches, Environment("HUGGINGFACE_HUB_CACHE"));
  AddFolder(folders.hub_caches, set(Environment("HF_HOME"), "hub"));
  AddFolder(folders.hub_caches, set(Environment("XDG_CACHE_HOME"), "huggingface/hub"));
  AddFolder(folders.hub_caches, set(home, ".cache/huggingface/hub"));
  AddFolder(folders.ollama, Environment("OLLAMA_MODELS"));
  AddFolder(folders.ollama, set(home, ".ollama/models"));
  AddFolder(folders.ollama, "/usr/share/ollama/.ollama/models");
  AddFolder(folders.ollama, "/var/lib/ollama/models");
  for (const char* const lm_studio : {".lmstudio", ".cache/lm-studio"}) {
    const fs::path place = set(home, lm_studio);
    if (place.empty()) continue;
    AddFolder(folders.lm_studio, LmStudioDownloads(place));
    AddFolder(folders.lm_studio, place / "models");
  }
  // llama.cpp keeps flat files, and since 2026 the layout of the Hub's cache, in the same folder.
  for (const fs::path& place :
       {fs::path(Environment("LLAMA_CACHE")), set(Environment("XDG_CACHE_HOME"), "llama.cpp"),
        set(home, ".cache/llama.cpp"), set(home, "Library/Caches/llama.cpp")}) {
    AddFolder(folders.llama_cpp, place);
    AddFolder(folders.hub_caches, place);
  }
  return folders;
}

std::vector<std::pair<std::string, FoundFile>> FindLocalFiles(const std::vector<FileEntry>& files,
                                                              const LocalFolders& folders) {
  Finder finder(files);
  for (const fs::path& root : folders.hub_caches) finder.LookInHubCache(root);
  for (const fs::path& root : folders.ollama) finder.LookInOllama(root);
  for (const fs::path& root : folders.lm_studio) finder.LookBySize(root, "LM Studio");
  for (const fs::path& root : folders.llama_cpp) finder.LookBySize(root, "llama.cpp");
  return finder.Take();
}

}  // namespace gptoss::hub
