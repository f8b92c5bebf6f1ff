// What the administrator of a machine, and its user, allow. Two files of the same form: policy.toml in
// SystemConfigDirectory(), and one beside the user's config.toml. The user's can only tighten.
//
//   [platforms]
//   allowed = ["linux-x86_64", "macos-arm64"]        # default: all
//   [models]
//   allowed = ["openai/gpt-oss-20b", "/opt/models/*"] # default: all; * any text, ? any character
//   [licence]
//   acknowledgement_required = true                   # default: true; only the system's file can say false
//   [network]
//   install = false                                   # default: true: models may be downloaded
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gptoss {

// "linux-x86_64", "linux-arm64", "macos-arm64" …: what platforms.allowed names.
std::string_view ThisPlatform();
// `*`: any text, also with slashes; `?`: one byte. Case counts.
bool MatchesGlob(std::string_view pattern, std::string_view text);

// Immutable; any thread. Fails closed: a policy file that cannot be read, or has a rule that is not known, is
// an error (kInvalidArgument with the line, or what the system says), never "no policy".
class Policy {
 public:
  static Result<Policy> Load();  // this process' two files
  // A missing file is no file; "" neither.
  static Result<Policy> Load(const std::filesystem::path& system_file,
                             const std::filesystem::path& user_file);
  Policy() = default;  // what holds without any file

  // Each: kPermissionDenied with the rule and the file that sets it.
  Status CheckPlatform(std::string_view platform = ThisPlatform()) const;
  // `model`: the repository of an installed model ("openai/gpt-oss-20b"), else the canonical path of the
  // checkpoint. The embedded demo is not asked about.
  Status CheckModel(std::string_view model) const;
  Status CheckNetworkInstall() const;
  // Before anything of a model is downloaded or loaded for the first time. `acknowledged`:
  // FindAcknowledgement (base/acknowledgement.h) knows this model, revision and licence.
  Status CheckLicence(bool acknowledged, std::string_view model, std::string_view licence) const;

  bool acknowledgement_required() const;
  // Rules of the user's file that have no effect, as sentences.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // The files that were there.
  const std::vector<std::string>& files() const { return files_; }

 private:
  struct Rules {
    std::string file;  // for messages
    std::optional<std::vector<std::string>> platforms, models;
    std::optional<bool> acknowledgement_required, network_install;
  };
  static Result<Rules> ReadRules(const std::filesystem::path& file);

  std::vector<Rules> rules_;  // the system's first
  std::vector<std::string> warnings_, files_;
  bool required_ = true;
  std::string required_by_ = "the default";
};

}  // namespace gptoss
