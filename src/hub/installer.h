// From a model's name to a verified model on this disk. What `gptoss install` and the provider call.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "hub/cache.h"
#include "hub/hub_client.h"
#include "hub/manifest.h"
#include "hub/transfer.h"

namespace gptoss::hub {

// What an install would do; nothing is written to make it.
struct InstallPlan {
  std::string model;  // as asked
  ModelReference reference;
  Listing listing;                   // files: only the wanted ones
  std::vector<FileEntry> all_files;  // of the whole repository; empty: not known (offline)
  std::vector<BlobJob> jobs;         // all wanted files
  std::uint64_t total_bytes = 0;
  std::uint64_t present_bytes = 0;                          // already in the cache or durable in partials
  std::vector<std::pair<std::string, FoundFile>> reusable;  // path -> file of another tool
  std::uint64_t disk_free_bytes = 0,
                disk_needed_bytes = 0;  // needed: missing bytes that nobody set aside + margin
  std::string memory_advice;            // from the catalog; "" if unknown
  bool already_complete = false;        // installed at this commit and quick check passes
};

struct InstallOptions {
  std::string revision;                       // instead of the one that the model's name or the catalog says
  std::vector<std::string> include, exclude;  // patterns; empty: the catalog's, else everything
  bool reuse_found = true;       // copy (reflink where possible) from other tools after verifying
  std::string acknowledged_how;  // "" : not acknowledged; else recorded in the manifest
  bool source_is_ours = false;   // InstallFrom may give the source's files a second name instead of copying
};

// Safe from one thread per object; objects in several processes may work on the same model.
class Installer {
 public:
  static Result<std::unique_ptr<Installer>> Create(const HubOptions& options,
                                                   std::filesystem::path state_folder,
                                                   std::string program_version);
  // With a client of the caller's and folders of other tools named by hand.
  static std::unique_ptr<Installer> CreateWith(std::unique_ptr<HubClient> client, LocalFolders folders,
                                               std::filesystem::path state_folder,
                                               std::string program_version);
  virtual ~Installer() = default;
  virtual HubClient& client() = 0;
  // Resolves, lists, validates, looks what is there. Where the Hub cannot be reached or `offline` is set, a
  // version that is whole on this disk is planned instead. Errors as HubClient's; kNotFound: no file
  // matches; kDataLoss: the listing is hostile, or lacks what a model of its kind cannot be without.
  // kResourceExhausted is reported by Run.
  virtual Result<InstallPlan> Plan(const std::string& model, const InstallOptions& options,
                                   const CancelToken& cancel) = 0;
  // Publication order: tree listing, blobs, links, ref last, manifest. An old version stays usable until the
  // end. Content that others left in the cache is hashed before it is trusted, and fetched again if it is
  // wrong. With everything there, nothing in the cache is written: it may be read-only.
  virtual Result<Manifest> Run(const InstallPlan& plan, const InstallOptions& options,
                               const ProgressObserver& observer, const PauseControl& pause,
                               const CancelToken& cancel) = 0;
  // Fetches again what a check found damaged or missing, nothing else.
  virtual Result<Manifest> Repair(const Manifest& manifest, const IntegrityReport& report,
                                  const ProgressObserver& observer, const PauseControl& pause,
                                  const CancelToken& cancel) = 0;
  // From a folder (an export, a USB disk), no network. An export (kExportedManifest) or a download of the
  // Hub's client says what each file has to be: verified, then placed in the cache. Any other folder is
  // copied to the state folder and hashed there. Files that an earlier try has placed are not copied again.
  virtual Result<Manifest> InstallFrom(const std::filesystem::path& folder, const std::string& model,
                                       const InstallOptions& options, const ProgressObserver& observer,
                                       const CancelToken& cancel) = 0;
};

}  // namespace gptoss::hub
