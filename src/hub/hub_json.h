// The Hub's JSON answers. Values from the network: shapes and hashes are checked here, names later, by
// ValidateListing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "hub/repository.h"

namespace gptoss::hub {

// What /api/models/<repository>/revision/<revision> says.
struct RevisionInfo {
  std::string commit;  // 40 lower-case hex digits
  std::string license, license_name, license_link;
  bool gated = false, is_private = false, disabled = false;
};
// kDataLoss: not JSON, or not a Hub's.
Result<RevisionInfo> ParseRevisionInfo(std::string_view json);

// One page of /api/models/<repository>/tree/<commit>: the files go to `files`, folders are left out.
// kDataLoss for anything malformed: a listing that is only half understood must not be installed.
Status ParseTreePage(std::string_view json, std::vector<FileEntry>& files);

}  // namespace gptoss::hub
