// gptoss tokenize: text to ids and back, for people and for scripts.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/json_lines.h"
#include "cli/terminal.h"
#include "cli/tokenizer_option.h"

namespace gptoss::cli {
namespace {

struct TokenizeOptions {
  std::string file, model;
  bool decode = false, jsonl = false;
};

Result<Json> Encode(const Tokenizer& tokenizer, const Json& input) {
  if (!input.is_string()) return Fail(ErrorCode::kInvalidArgument, "expected a JSON string");
  return Json(tokenizer.EncodeText(input.get<std::string>()));
}

Result<Json> Decode(const Tokenizer& tokenizer, const Json& input) {
  if (!input.is_array()) return Fail(ErrorCode::kInvalidArgument, "expected a JSON array of token ids");
  std::vector<TokenId> ids;
  for (const Json& id : input) {
    if (!id.is_number_integer() || id < 0 || id >= tokenizer.size()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "not a token id of this vocabulary: " + DumpJson(id).substr(0, 40));
    }
    ids.push_back(id.get<TokenId>());
  }
  return Json(tokenizer.Decode(ids));
}

Status Run(const TokenizeOptions& options, int& exit_code) {
  GPTOSS_TRY(const auto tokenizer, OpenSelectedTokenizer(options.file, options.model));
  if (options.jsonl) {
    const auto answer = options.decode ? Decode : Encode;
    return AnswerJsonLines([&](const Json& input) { return answer(*tokenizer, input); }, exit_code);
  }
  GPTOSS_TRY(const std::string text, ReadAll(STDIN_FILENO));
  if (!options.decode) {
    StandardOutput().Write(DumpJson(Json(tokenizer->EncodeText(text))) + "\n");
    return StandardOutput().status();
  }
  GPTOSS_TRY(const Json ids, ParseJson(text));
  GPTOSS_TRY(const Json decoded, Decode(*tokenizer, ids));
  StandardOutput().Write(decoded.get<std::string>());  // as it was: no newline of ours
  return StandardOutput().status();
}

}  // namespace

void AddTokenizeCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("tokenize", "Text on stdin -> token ids as a JSON array; --decode the other way");
  auto options = std::make_shared<TokenizeOptions>();
  AddTokenizerOptions(*command, options->file, options->model);
  command->add_flag("-d,--decode", options->decode, "a JSON array of ids on stdin -> text");
  command->add_flag(
      "--jsonl", options->jsonl,
      "line by line: a JSON string in, an array of ids out (with --decode the other way); a bad line gives "
      "{\"error\":…} and exit code 1 at the end");
  command->callback([options, &exit_code] {
    if (const Status status = Run(*options, exit_code); !status) {
      Complain(status.error().message);
      exit_code = ExitCode(status.error().code);
    }
  });
}

}  // namespace gptoss::cli
