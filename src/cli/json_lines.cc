#include "cli/json_lines.h"

#include <unistd.h>

#include <string>

#include "base/text.h"
#include "cli/input.h"
#include "cli/terminal.h"

namespace gptoss::cli {

Status AnswerJsonLines(const std::function<Result<Json>(const Json& input)>& answer, int& exit_code) {
  LineReader lines(STDIN_FILENO, -1);
  for (std::string line; lines.Next(line) == LineReader::Event::kLine;) {
    if (IsBlank(line, " \t\r")) continue;
    const Result<Json> input = ParseJson(line);
    const Result<Json> output = input ? answer(*input) : input;
    if (!output) exit_code = 1;
    if (!StandardOutput().Write(DumpJson(output ? *output : Json{{"error", output.error().message}}) + "\n"))
      return {};
  }
  return lines.status();
}

}  // namespace gptoss::cli
