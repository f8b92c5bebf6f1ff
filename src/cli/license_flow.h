// The licence of a model: told, asked about, recorded. Nothing is downloaded or loaded before.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/hub_context.h"
#include "hub/begun.h"

namespace gptoss::cli {

using hub::kNoLicense;

// What is under which licence: all that an acknowledgement is about.
struct Licensed {
  std::string model, repository, commit, license, license_name;
};

// For people: "Apache License 2.0 (apache-2.0)".
std::string LicenseTitle(const std::string& license, const std::string& name);

// How the licence was acknowledged, now or before; "" where the policy asks for no acknowledgement. It is on
// the disk before this returns. kInvalidArgument: nobody to ask and no --accept-license (`accept`);
// kPermissionDenied: the answer was no.
Result<std::string> Acknowledge(const HubContext& context, HubSession& session, const Licensed& what,
                                bool accept, bool may_ask);

}  // namespace gptoss::cli
