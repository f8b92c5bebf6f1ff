// gptoss verify: is what lies on the disk what was installed?
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "cli/commands.h"
#include "cli/hub_context.h"
#include "cli/install_flow.h"
#include "cli/terminal.h"
#include "cli/version.h"

namespace gptoss::cli {
namespace {

struct VerifyArguments {
  std::string model, cache_dir;
  bool quick = false, full = false, repair = false, json = false, quiet = false;
};

std::string_view WhatItMeans(hub::Integrity state, bool quick) {
  switch (state) {
    case hub::Integrity::kVerified:
      return quick ? "as it was when every byte was verified" : "every byte is right";
    case hub::Integrity::kChanged:
      return "written to since it was verified; 'gptoss verify' without --quick tells whether the content is "
             "right";
    case hub::Integrity::kDamaged:
      return "do not use it before it is repaired";
    case hub::Integrity::kIncomplete:
      return "files are missing";
  }
  return "";
}

void Say(const VerifyArguments& arguments, const hub::Manifest& manifest,
         const hub::IntegrityReport& report) {
  if (arguments.json) {
    Json problems = Json::array();
    for (const auto& problem : report.problems)
      problems.push_back({{"path", problem.path}, {"what", problem.what}});
    WriteJsonLine({{"type", "verified"},
                   {"model", manifest.model},
                   {"how", arguments.quick ? "quick" : "full"},
                   {"state", std::string(hub::IntegrityName(report.state))},
                   {"files", manifest.files.size()},
                   {"total_bytes", hub::TotalBytes(manifest)},
                   {"problems", std::move(problems)},
                   {"drifts", report.drifts}});
    return;
  }
  if (arguments.quiet) return;
  std::string text = fmt::format("{}: {} ({})\n", manifest.model, hub::IntegrityName(report.state),
                                 WhatItMeans(report.state, arguments.quick));
  for (const auto& problem : report.problems) text += fmt::format("  {}: {}\n", problem.path, problem.what);
  for (const std::string& drift : report.drifts) text += fmt::format("  note: {}.\n", drift);
  StandardOutput().Write(WithoutControls(text));
}

// The state after the check and, where it was asked for, the repair.
Result<hub::Integrity> VerifyOne(const VerifyArguments& arguments, HubSession& session,
                                 const hub::ManifestStore& installed, hub::Manifest manifest) {
  hub::IntegrityReport report;
  if (arguments.quick) {
    report = hub::QuickCheck(manifest);
  } else {
    GPTOSS_TRY(report, CheckAllHashes(session, manifest, arguments.json, arguments.quiet));
    if (report.state == hub::Integrity::kVerified) {
      GPTOSS_CHECK_OK(hub::StampVerified(manifest, Version()));
      // A state folder that cannot be written to does not make the content wrong.
      if (const Status written = installed.Write(manifest); !written && !arguments.quiet)
        Remark(fmt::format("the result cannot be recorded: {}", written.error().message));
    }
  }
  Say(arguments, manifest, report);
  const bool wrong = report.state == hub::Integrity::kDamaged || report.state == hub::Integrity::kIncomplete;
  if (!wrong) return report.state;
  if (!arguments.repair) {
    const std::string first = report.problems.empty() ? std::string()
                                                      : fmt::format(": {}: {}", report.problems.front().path,
                                                                    report.problems.front().what);
    const std::string advice = manifest.repository.empty()
                                   ? "; its files are your own: put right ones there and install it again"
                                   : fmt::format("; 'gptoss verify {} --repair' fetches what is wrong again",
                                                 ShellQuoted(manifest.model));
    Complain(fmt::format("{} is {}{}{}", manifest.model, hub::IntegrityName(report.state), first, advice));
    return report.state;
  }
  if (manifest.repository.empty())
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("{} is a local folder: there is nowhere to fetch the files from again", manifest.model));
  GPTOSS_TRY(const HubContext context, OpenHubContext(arguments.cache_dir));
  GPTOSS_TRY(const hub::Manifest repaired,
             RepairInstalled(context, session, manifest, report, arguments.json, arguments.quiet));
  SayInstalled(repaired, false, arguments.json, arguments.quiet);
  return hub::Integrity::kVerified;
}

Result<int> Verify(const VerifyArguments& arguments) {
  if (arguments.quick && arguments.full)
    return Fail(ErrorCode::kInvalidArgument, "--quick and --full exclude each other");
  GPTOSS_TRY(const hub::ManifestStore installed, OpenInstalledModels());
  std::vector<hub::Manifest> manifests;
  std::vector<std::string> problems;
  if (arguments.model.empty()) {
    manifests = installed.List(&problems);
  } else {
    GPTOSS_TRY(hub::Manifest manifest, installed.Find(arguments.model));
    manifests.push_back(std::move(manifest));
  }
  for (const std::string& problem : problems) Complain(problem);
  if (manifests.empty() && problems.empty() && !arguments.quiet && !arguments.json)
    Remark("no model is installed; 'gptoss install' installs gpt-oss-20b");
  HubSession session;
  int code = problems.empty() ? 0 : 1;
  for (hub::Manifest& manifest : manifests) {
    GPTOSS_TRY(const hub::Integrity state, VerifyOne(arguments, session, installed, std::move(manifest)));
    if (state != hub::Integrity::kVerified) code = 1;
  }
  return code;
}

}  // namespace

void AddVerifyCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* verify = app.add_subcommand("verify", "Check installed models, byte for byte");
  verify->add_option("model", arguments->model, "An installed model (default: all)")->type_name("MODEL");
  verify->add_flag("--full", arguments->full, "All hashes (the default)");
  verify->add_flag("--quick", arguments->quick, "Sizes, times and first bytes only, in milliseconds");
  verify->add_flag("--repair", arguments->repair, "Fetch again what is damaged or missing, and nothing else");
  verify->add_option("--cache-dir", arguments->cache_dir, "Folder for models")->type_name("PATH");
  verify->add_flag("--json", arguments->json, "One JSON object per event on stdout");
  verify->add_flag("-q,--quiet", arguments->quiet, "Say nothing but errors");
  verify->footer(
      "Exit code 0: all as it was verified; 1: damaged, incomplete, or (--quick) written to since.");
  verify->callback([arguments, &exit_code] {
    const auto result = Verify(*arguments);
    exit_code = result ? *result : FailCommand(result.error(), arguments->json);
  });
}

}  // namespace gptoss::cli
