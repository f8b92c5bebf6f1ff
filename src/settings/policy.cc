#include "settings/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <variant>

#include "settings/declarations.h"
#include "settings/paths.h"
#include "settings/toml_file.h"

namespace gptoss {
namespace {

constexpr std::array<std::string_view, 4> kRules = {"platforms.allowed", "models.allowed",
                                                    "licence.acknowledgement_required", "network.install"};
constexpr std::array<std::string_view, 4> kSections = {"platforms", "models", "licence", "network"};

std::string List(const std::vector<std::string>& items) {
  if (items.empty()) return "nothing";
  return fmt::format("{}", fmt::join(items, ", "));
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& pattern) { return MatchesGlob(pattern, text); });
}

}  // namespace

std::string_view ThisPlatform() {
#if defined(__APPLE__) && defined(__aarch64__)
  return "macos-arm64";
#elif defined(__APPLE__)
  return "macos-x86_64";
#elif defined(__linux__) && defined(__aarch64__)
  return "linux-arm64";
#elif defined(__linux__) && defined(__x86_64__)
  return "linux-x86_64";
#else
  return "other";
#endif
}

// The usual two-pointer walk: at a mismatch the last star takes one more byte. Linear in practice, never
// exponential.
bool MatchesGlob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<Policy::Rules> Policy::ReadRules(const std::filesystem::path& file) {
  Rules rules;
  GPTOSS_TRY(const std::optional<std::string> text, ReadTomlFile(file));
  if (!text) {
    std::error_code none;
    if (std::filesystem::is_symlink(std::filesystem::symlink_status(file, none)))
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is a link to what is not there; a policy that cannot be read "
                              "allows nothing: put the file there or remove the link",
                              file.string()));
    return rules;
  }
  rules.file = file.string();
  std::vector<TomlSection> empty;
  GPTOSS_TRY(const TomlEntries entries, ParseToml(*text, rules.file, &empty));
  const auto unknown = [&](std::string_view what, std::string_view name, std::size_t line,
                           std::span<const std::string_view> known) {
    const std::string_view nearest = NearestName(name, known);
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}:{}: there is no {} '{}'{}; a policy with what is not understood allows nothing",
                    rules.file, line, what, name,
                    nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest)));
  };
  for (const TomlSection& section : empty)
    if (std::ranges::find(kSections, section.name) == kSections.end())
      return unknown("section", section.name, section.line, kSections);
  for (const TomlEntry& entry : entries) {
    const auto refused = [&](std::string_view expected) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("{}:{}: {} is {}; not {}", rules.file, entry.line,
                                                           entry.name, expected, DescribeToml(entry.value)));
    };
    const auto* strings = std::get_if<std::vector<std::string>>(&entry.value);
    const auto* flag = std::get_if<bool>(&entry.value);
    if (entry.name == kRules[0] || entry.name == kRules[1]) {
      if (strings == nullptr) return refused("an array of strings");
      (entry.name == kRules[0] ? rules.platforms : rules.models) = *strings;
    } else if (entry.name == kRules[2] || entry.name == kRules[3]) {
      if (flag == nullptr) return refused("true or false");
      (entry.name == kRules[2] ? rules.acknowledgement_required : rules.network_install) = *flag;
    } else {
      return unknown("rule", entry.name, entry.line, kRules);
    }
  }
  return rules;
}

Result<Policy> Policy::Load(const std::filesystem::path& system_file,
                            const std::filesystem::path& user_file) {
  Policy policy;
  for (const auto* file : {&system_file, &user_file}) {
    const bool users = file == &user_file;
    GPTOSS_TRY(Rules rules, ReadRules(*file));
    if (rules.file.empty()) continue;
    if (rules.acknowledgement_required) {
      const bool required = *rules.acknowledgement_required;
      if (users && !required && policy.required_) {
        policy.warnings_.push_back(
            fmt::format("licence.acknowledgement_required = false in {} has no effect; only {} "
                        "can say so",
                        rules.file, SystemPolicyFile().string()));
      } else {
        policy.required_ = required;
        policy.required_by_ = rules.file;
      }
    }
    policy.files_.push_back(rules.file);
    policy.rules_.push_back(std::move(rules));
  }
  return policy;
}

Result<Policy> Policy::Load() {
  GPTOSS_TRY(const std::filesystem::path user_file, UserPolicyFile());
  return Load(SystemPolicyFile(), user_file);
}

Status Policy::CheckPlatform(std::string_view platform) const {
  for (const Rules& rules : rules_)
    if (rules.platforms && !MatchesAny(*rules.platforms, platform))
      return Fail(
          ErrorCode::kPermissionDenied,
          fmt::format("the policy does not allow this platform, {}: platforms.allowed in {} allows {}",
                      platform, rules.file, List(*rules.platforms)));
  return {};
}

Status Policy::CheckModel(std::string_view model) const {
  for (const Rules& rules : rules_)
    if (rules.models && !MatchesAny(*rules.models, model))
      return Fail(ErrorCode::kPermissionDenied,
                  fmt::format("the policy does not allow the model {}: models.allowed in {} allows {}", model,
                              rules.file, List(*rules.models)));
  return {};
}

Status Policy::CheckNetworkInstall() const {
  for (const Rules& rules : rules_)
    if (rules.network_install && !*rules.network_install)
      return Fail(
          ErrorCode::kPermissionDenied,
          fmt::format("the policy does not allow models to be downloaded: network.install is false in {}",
                      rules.file));
  return {};
}

bool Policy::acknowledgement_required() const { return required_; }

Status Policy::CheckLicence(bool acknowledged, std::string_view model, std::string_view licence) const {
  if (acknowledged || !required_) return {};
  return Fail(
      ErrorCode::kPermissionDenied,
      fmt::format("the licence of {} ({}) has to be accepted first: licence.acknowledgement_required is true "
                  "by {}",
                  model, licence, required_by_));
}

}  // namespace gptoss
