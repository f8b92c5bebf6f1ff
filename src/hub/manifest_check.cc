// Is what lies on the disk still what was verified? Quick: sizes, times and first bytes; full: every hash.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <numeric>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "hub/catalog.h"
#include "hub/disk.h"
#include "hub/manifest.h"
#include "hub/transfer.h"
#include "platform/system.h"

namespace gptoss::hub {
namespace {

constexpr std::string_view kTokenizer = "tokenizer.json";
constexpr std::string_view kTemplate = "chat_template.jinja";
constexpr int kMaxCheckers = 8;

enum class Trouble : std::uint8_t { kNone, kChanged, kMissing, kDamaged };
struct Finding {
  Trouble trouble = Trouble::kNone;
  std::string what;
};

// Weights announce themselves in their first bytes; zeros there are what a lost write leaves behind.
bool HeaderLooksRight(const std::filesystem::path& path, std::uint64_t size) {
  const bool safetensors = path.extension() == ".safetensors", gguf = path.extension() == ".gguf";
  if (!safetensors && !gguf) return true;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  std::array<char, 9> bytes{};
  const ssize_t got = ::read(fd, bytes.data(), bytes.size());
  ::close(fd);
  if (gguf) return got >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  if constexpr (std::endian::native == std::endian::big) header = std::byteswap(header);
  return got == static_cast<ssize_t>(bytes.size()) && bytes[8] == '{' && header >= 2 && header <= size - 8;
}

Finding LookAt(const std::filesystem::path& path, const ManifestFile& file) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return {Trouble::kMissing, "missing"};
    return {Trouble::kDamaged, std::strerror(errno)};
  }
  if (!S_ISREG(info.st_mode)) return {Trouble::kDamaged, "not a regular file"};
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size < file.size) return {Trouble::kDamaged, WithCommas(file.size - size) + " bytes short"};
  if (size > file.size) return {Trouble::kDamaged, WithCommas(size - file.size) + " bytes too long"};
  if (!HeaderLooksRight(path, size)) return {Trouble::kDamaged, "its first bytes are not those of a model"};
  if (file.mtime_ns != 0 && ModificationTime(info) != file.mtime_ns)
    return {Trouble::kChanged, "written to since it was verified"};
  return {};
}

Integrity Worst(const std::vector<Finding>& findings) {
  const auto any = [&](Trouble trouble) {
    return std::ranges::any_of(findings, [&](const Finding& f) { return f.trouble == trouble; });
  };
  if (any(Trouble::kDamaged)) return Integrity::kDamaged;
  if (any(Trouble::kMissing)) return Integrity::kIncomplete;
  return any(Trouble::kChanged) ? Integrity::kChanged : Integrity::kVerified;
}

std::vector<std::string> Drifts(const Manifest& manifest) {
  std::vector<std::string> drifts;
  if (!IsGptOss(manifest.repository)) return drifts;
  if (!manifest.tokenizer_pin.empty() && !KnownPin(manifest.tokenizer_pin))
    drifts.push_back(
        fmt::format("{} is not the one that gpt-oss was trained with (SHA-256 {}). If its ids differ, "
                    "prompts and answers "
                    "turn into nonsense; a file that was only written differently does no harm",
                    kTokenizer, manifest.tokenizer_pin));
  if (!manifest.chat_template_pin.empty() && !KnownPin(manifest.chat_template_pin))
    drifts.push_back(
        fmt::format("{} is not one known for gpt-oss (SHA-256 {}). gptoss renders Harmony itself and does "
                    "not use it; other "
                    "programs that do may prompt the model differently",
                    kTemplate, manifest.chat_template_pin));
  return drifts;
}

IntegrityReport Report(const Manifest& manifest, std::vector<Finding> findings) {
  IntegrityReport report{.state = Worst(findings), .problems = {}, .drifts = Drifts(manifest)};
  for (std::size_t i = 0; i < findings.size(); ++i)
    if (findings[i].trouble != Trouble::kNone)
      report.problems.push_back({manifest.files[i].path, std::move(findings[i].what)});
  if (manifest.verified_at.empty() && report.state != Integrity::kDamaged)
    report.state = Integrity::kIncomplete;
  return report;
}

std::vector<Finding> LookAtAll(const Manifest& manifest) {
  std::vector<Finding> findings;
  findings.reserve(manifest.files.size());
  for (const ManifestFile& file : manifest.files)
    findings.push_back(LookAt(manifest.folder / file.path, file));
  return findings;
}

// One file's content against its hash, after its size was found right.
Result<Finding> CheckContent(const std::filesystem::path& path, const ManifestFile& file,
                             const CancelToken& cancel, const std::function<void(std::uint64_t)>& on_bytes) {
  const auto hash = HashFile(path, file.hash.is_sha256(), cancel, on_bytes);
  if (!hash && hash.error().code == ErrorCode::kCancelled) return std::unexpected(hash.error());
  if (!hash) return Finding{Trouble::kDamaged, hash.error().message};
  if (*hash == file.hash) return Finding{};
  return Finding{Trouble::kDamaged, fmt::format("its content has the hash {}…, not {}…",
                                                hash->hex.substr(0, 12), file.hash.hex.substr(0, 12))};
}

std::optional<std::string> Sha256Of(const Manifest& manifest, std::string_view name) {
  for (const ManifestFile& file : manifest.files) {
    if (file.path != name) continue;
    if (file.hash.is_sha256()) return file.hash.hex;
    const auto hash = HashFile(manifest.folder / file.path, true, {});
    return hash ? std::optional(hash->hex) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string_view IntegrityName(Integrity integrity) {
  switch (integrity) {
    case Integrity::kVerified:
      return "verified";
    case Integrity::kChanged:
      return "changed";
    case Integrity::kDamaged:
      return "damaged";
    case Integrity::kIncomplete:
      return "incomplete";
  }
  return "damaged";
}

IntegrityReport QuickCheck(const Manifest& manifest) { return Report(manifest, LookAtAll(manifest)); }

Status RequireIntact(const Manifest& manifest) {
  const IntegrityReport report = QuickCheck(manifest);
  if (report.state == Integrity::kVerified || report.state == Integrity::kChanged) return {};
  const std::string where = report.problems.empty() ? std::string()
                                                    : fmt::format(" ({}: {})", report.problems.front().path,
                                                                  report.problems.front().what);
  return Fail(ErrorCode::kDataLoss,
              fmt::format("{} is {}{}; 'gptoss verify {} --repair' fetches what is wrong", manifest.model,
                          IntegrityName(report.state), where, manifest.model));
}

Result<IntegrityReport> FullCheck(const Manifest& manifest, const CancelToken& cancel,
                                  const std::function<void(std::uint64_t)>& on_bytes) {
  std::vector<Finding> findings = LookAtAll(manifest);
  // Large files first: the last one to finish is then a small one.
  std::vector<std::size_t> order(manifest.files.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(
      order, [&](std::size_t a, std::size_t b) { return manifest.files[a].size > manifest.files[b].size; });
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::optional<Error> failure;
  const auto work = [&] {
    for (std::size_t at = next++; at < order.size() && !cancel.cancelled(); at = next++) {
      const std::size_t i = order[at];
      const ManifestFile& file = manifest.files[i];
      if (findings[i].trouble == Trouble::kMissing || findings[i].trouble == Trouble::kDamaged) {
        if (on_bytes) on_bytes(file.size);  // looked at, and there is nothing to hash
        continue;
      }
      auto found = CheckContent(manifest.folder / file.path, file, cancel, on_bytes);
      const std::lock_guard lock(mutex);
      if (found) {
        findings[i] = std::move(*found);  // the right content makes a new time harmless
      } else {
        failure = std::move(found).error();
      }
    }
  };
  const int wanted = std::min({UsableCpus(), kMaxCheckers, static_cast<int>(order.size())});
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < wanted; ++i) others.emplace_back(work);
    work();
  }
  if (failure) return std::unexpected(std::move(*failure));
  if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "stopped before every file was checked");
  return Report(manifest, std::move(findings));
}

Status StampVerified(Manifest& manifest, std::string_view program_version) {
  for (ManifestFile& file : manifest.files) {
    const std::filesystem::path path = manifest.folder / file.path;
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0)
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("cannot look at {}: {}", path.string(), std::strerror(errno)));
    file.role = RoleOf(file.path);
    file.mtime_ns = ModificationTime(info);
  }
  manifest.tokenizer_pin = Sha256Of(manifest, kTokenizer).value_or("");
  manifest.chat_template_pin = Sha256Of(manifest, kTemplate).value_or("");
  manifest.verified_at = NowRfc3339();
  manifest.verified_by = program_version;
  return {};
}

}  // namespace gptoss::hub
