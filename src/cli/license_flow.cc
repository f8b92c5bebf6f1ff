#include "cli/license_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/acknowledgement.h"
#include "base/file.h"
#include "cli/terminal.h"
#include "hub/catalog.h"

namespace gptoss::cli {
namespace {

// How it was acknowledged, for the record.
Result<std::string> AskLicense(HubSession& session, const Licensed& what) {
  const std::optional<std::string_view> text = hub::LicenseText(what.license);
  const std::string question =
      fmt::format("Do you accept this licence? [y]es, [n]o{} ", text ? ", [t]ext:" : ":");
  while (true) {
    GPTOSS_TRY(const std::string answer, session.Ask(question));
    const char first = answer.empty() ? 'n' : answer.front();
    if (first == 'y' || first == 'Y') return "interactive";
    if ((first == 't' || first == 'T') && text) {
      StandardError().Write(*text);
      continue;
    }
    return Fail(ErrorCode::kPermissionDenied, "the licence was not accepted; nothing was downloaded");
  }
}

// Same repository, same licence, another commit: what was accepted once is carried over.
bool AcceptedBefore(const HubContext& context, const Licensed& what) {
  if (what.license == "other" || what.license == kNoLicense) return false;
  return std::ranges::any_of(context.installed.List(), [&](const hub::Manifest& manifest) {
    return manifest.repository == what.repository && manifest.acknowledgement &&
           manifest.acknowledgement->license == what.license;
  });
}

}  // namespace

std::string LicenseTitle(const std::string& license, const std::string& name) {
  if (license == kNoLicense) return "the repository names none";
  if (const hub::LicenseInfo* known = hub::FindLicense(license))
    return fmt::format("{} ({})", known->name, known->id);
  return name.empty() || name == license ? license : fmt::format("{} ({})", name, license);
}

Result<std::string> Acknowledge(const HubContext& context, HubSession& session, const Licensed& what,
                                bool accept, bool may_ask) {
  // A folder of files that no Hub has named a commit for.
  const std::string revision = what.commit.empty() ? "local" : what.commit;
  GPTOSS_TRY(const auto known, FindAcknowledgement(context.state, what.repository, revision, what.license));
  if (known) return known->how;
  std::string how;
  if (accept) {
    how = "--accept-license";
  } else if (AcceptedBefore(context, what)) {
    how = "accepted for another commit";
  } else if (!context.policy.acknowledgement_required()) {
    return std::string();
  } else if (may_ask && CanAsk()) {
    GPTOSS_TRY(how, AskLicense(session, what));
  } else {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} comes under a licence ({}) that must be accepted first: read it with 'gptoss show {} "
                    "--license', then run this again with --accept-license",
                    what.model, LicenseTitle(what.license, what.license_name), ShellQuoted(what.model)));
  }
  GPTOSS_CHECK_OK(CreatePrivateFolders(context.state));
  GPTOSS_CHECK_OK(RecordAcknowledgement(
      context.state, {.model = what.repository, .revision = revision, .licence = what.license, .how = how}));
  return how;
}

}  // namespace gptoss::cli
