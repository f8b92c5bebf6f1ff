// Models by name: from the Hub to this disk, from the disk to memory, as the machine's policy allows.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "hub/hub_client.h"
#include "hub/installer.h"
#include "hub/manifest.h"
#include "provider/agent_provider.h"
#include "settings/policy.h"

namespace gptoss {

struct HubSourceOptions {
  hub::HubOptions hub;                 // HubOptionsFrom(settings) in from_settings.h
  std::filesystem::path state_folder;  // what is installed and acknowledged
  std::string program_version;         // written into manifests
  // Read again before every load and install, so that a change counts at once.
  std::function<Result<Policy>()> policy = [] { return Policy::Load(); };
  // The licence that users are shown before they accept one ("apache-2.0"); "": none is. An acknowledgement
  // then counts for this one only: kFailedPrecondition where the model comes under another by now.
  std::string shown_licence;
  // Empty: hub::Installer::Create of the options above. Tests give one with a client of their own.
  std::function<Result<std::unique_ptr<hub::Installer>>()> make_installer;

  // What this process' environment says; kFailedPrecondition without a home folder.
  static Result<HubSourceOptions> FromEnvironment();
};

// `model`: a name in the catalog ("": its default), or org/name[@revision][:pattern]. Look compares the files
// with their manifest (no hash), Open does so again and asks policy and acknowledgement; Install fetches only
// what is missing or damaged, after policy and acknowledgement. kInvalidArgument: no such name can be.
Result<std::unique_ptr<ModelSource>> HubModelSource(const std::string& model, HubSourceOptions options);

// What Create uses for a name: "" and "demo" are the demo, what exists or is written like a path is opened
// where it lies, and anything else is a name of the Hub.
Result<std::unique_ptr<ModelSource>> DefaultModelSource(const std::string& model);

// The checkpoint there. A reader may call broken JSON an invalid argument; here the model is broken, not its
// use, so that is kDataLoss.
Result<Checkpoint> OpenToLoad(const std::filesystem::path& path);

// May a checkpoint on this disk be loaded here? kPermissionDenied with the rule and its file. A folder that
// an installed model lives in is asked about by that model's repository, any other path by its canonical
// form.
Status CheckMayLoad(const Policy& policy, const std::filesystem::path& checkpoint,
                    const hub::ManifestStore& installed);
// Of an installed model: platform, name, and a licence that was accepted where the policy asks for that.
Status CheckMayLoad(const Policy& policy, const hub::Manifest& manifest,
                    const std::filesystem::path& state_folder);

}  // namespace gptoss
