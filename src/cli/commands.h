// One function per subcommand, each in a file of its own; main.cc puts them together. A command adds itself
// to `app` and, when it is run, leaves its exit code in `exit_code`.
#pragma once

namespace CLI {
class App;
}

namespace gptoss::cli {

void AddRunCommand(CLI::App& app, int& exit_code);
void AddChatCommand(CLI::App& app, int& exit_code);
void AddAcpCommand(CLI::App& app, int& exit_code);
void AddInspectCommand(CLI::App& app, int& exit_code);
void AddConfigCommand(CLI::App& app, int& exit_code);  // config list | get | set | unset | path
void AddDoctorCommand(CLI::App& app, int& exit_code);
void AddStatsCommand(CLI::App& app, int& exit_code);
void AddInstallCommand(CLI::App& app, int& exit_code);
void AddListCommand(CLI::App& app, int& exit_code);
void AddShowCommand(CLI::App& app, int& exit_code);
void AddVerifyCommand(CLI::App& app, int& exit_code);
void AddUpdateCommand(CLI::App& app, int& exit_code);
void AddDeleteCommand(CLI::App& app, int& exit_code);
void AddExportCommand(CLI::App& app, int& exit_code);
void AddTokenizeCommand(CLI::App& app, int& exit_code);
void AddHarmonyCommand(CLI::App& app, int& exit_code);     // harmony render | parse
void AddEvalCommand(CLI::App& app, int& exit_code);        // eval logits | greedy | demo
void AddCompletionCommand(CLI::App& app, int& exit_code);  // completion bash | zsh | fish

}  // namespace gptoss::cli
