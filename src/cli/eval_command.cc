// gptoss eval: numbers for people who compare engines.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/eval_demo.h"
#include "cli/input.h"
#include "cli/model_option.h"
#include "cli/terminal.h"

namespace gptoss::cli {
namespace {

struct EvalOptions {
  std::string model, kernels;
  bool precise = false;
  int threads = 0;
};

struct Prompt {
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> positions;  // for logits
  std::int64_t count = 32;              // for greedy
};

template <typename T>
Result<std::vector<T>> Integers(const Json& object, const char* field, std::int64_t limit,
                                std::size_t prompt) {
  const auto it = object.find(field);
  if (it == object.end() || !it->is_array()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("prompts[{}].{}: expected an array of integers", prompt, field));
  }
  std::vector<T> values;
  for (const Json& value : *it) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0 || value.get<std::int64_t>() >= limit) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("prompts[{}].{}: expected integers from 0 to {}, found {}", prompt, field,
                              limit - 1, DumpJson(value).substr(0, 40)));
    }
    values.push_back(value.get<T>());
  }
  return values;
}

Result<std::vector<Prompt>> ReadPrompts(const ModelConfig& config, bool logits) {
  GPTOSS_TRY(const std::string text, ReadAll(STDIN_FILENO, std::size_t{1} << 30));
  GPTOSS_TRY(const Json root, ParseJson(text));
  const auto prompts = root.is_object() ? root.find("prompts") : root.end();
  if (prompts == root.end() || !prompts->is_array()) {
    return Fail(ErrorCode::kInvalidArgument, "expected an object with an array \"prompts\" on stdin");
  }
  std::vector<Prompt> out;
  for (const Json& item : *prompts) {
    const std::size_t index = out.size();
    if (!item.is_object())
      return Fail(ErrorCode::kInvalidArgument, fmt::format("prompts[{}]: expected an object", index));
    Prompt prompt;
    GPTOSS_TRY(prompt.ids, Integers<std::int32_t>(item, "ids", config.vocab, index));
    const auto length = static_cast<std::int64_t>(prompt.ids.size());
    if (length < 1 || length > config.max_context) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("prompts[{}].ids: expected 1 to {} ids, found {}",
                                                           index, config.max_context, length));
    }
    if (logits) {
      GPTOSS_TRY(prompt.positions, Integers<std::int64_t>(item, "positions", length, index));
    } else if (const auto n = item.find("n"); n != item.end()) {
      if (!n->is_number_integer() || n->get<std::int64_t>() < 0 ||
          n->get<std::int64_t>() > config.max_context - length) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("prompts[{}].n: expected 0 to {}", index, config.max_context - length));
      }
      prompt.count = n->get<std::int64_t>();
    }
    out.push_back(std::move(prompt));
  }
  return out;
}

// Feeds the ids after what the sequence holds; keeps the logits of the wanted rows, in order.
Status Feed(Backend& backend, SequenceId sequence, const std::vector<std::int32_t>& ids,
            const std::vector<bool>& wanted, std::vector<std::vector<float>>& logits) {
  const auto vocab = static_cast<std::size_t>(backend.config().vocab);
  // Few rows with logits at a time: a row of the real model has 200,000 of them.
  const std::size_t chunk = std::min<std::size_t>(static_cast<std::size_t>(backend.max_batch_rows()), 128);
  for (std::size_t at = 0; at < ids.size(); at += chunk) {
    std::vector<BatchRow> rows;
    for (std::size_t i = at; i < std::min(at + chunk, ids.size()); ++i)
      rows.push_back({sequence, ids[i], wanted[i]});
    const auto count = static_cast<std::size_t>(std::ranges::count_if(rows, &BatchRow::wants_logits));
    std::vector<float> out(count * vocab);
    GPTOSS_CHECK_OK(backend.Forward(rows, out, {}));
    for (std::size_t i = 0; i < count; ++i) logits.emplace_back(&out[i * vocab], &out[i * vocab] + vocab);
  }
  return {};
}

Result<std::string> Logits(Backend& backend, const Prompt& prompt) {
  std::vector<bool> wanted(prompt.ids.size(), false);
  for (const std::int64_t p : prompt.positions) wanted[static_cast<std::size_t>(p)] = true;
  std::vector<std::size_t> row_of(prompt.ids.size());
  for (std::size_t i = 0, row = 0; i < wanted.size(); ++i) row_of[i] = wanted[i] ? row++ : 0;
  GPTOSS_TRY(const SequenceId sequence, backend.CreateSequence(static_cast<std::int64_t>(prompt.ids.size())));
  std::vector<std::vector<float>> logits;
  const Status status = Feed(backend, sequence, prompt.ids, wanted, logits);
  backend.FreeSequence(sequence);
  if (!status) return std::unexpected(status.error());
  std::string out = "[";
  for (const std::int64_t p : prompt.positions) {
    out += out.size() > 1 ? ",[" : "[";
    const auto& row = logits[row_of[static_cast<std::size_t>(p)]];
    for (std::size_t i = 0; i < row.size(); ++i)
      fmt::format_to(std::back_inserter(out), "{}{:.9g}", i == 0 ? "" : ",", row[i]);
    out += "]";
  }
  return out + "]";
}

Result<std::string> Greedy(Backend& backend, const Prompt& prompt) {
  GPTOSS_TRY(const SequenceId sequence,
             backend.CreateSequence(static_cast<std::int64_t>(prompt.ids.size()) + prompt.count));
  std::vector<std::int32_t> ids = prompt.ids;
  Json out = Json::array();
  for (std::int64_t i = 0; i < prompt.count; ++i) {
    std::vector<bool> wanted(ids.size(), false);
    wanted.back() = true;
    std::vector<std::vector<float>> logits;
    if (const Status status = Feed(backend, sequence, ids, wanted, logits); !status) {
      backend.FreeSequence(sequence);
      return std::unexpected(status.error());
    }
    const auto best = std::ranges::max_element(logits[0]) - logits[0].begin();
    out.push_back(best);
    ids = {static_cast<std::int32_t>(best)};
  }
  backend.FreeSequence(sequence);
  return DumpJson(out);
}

Status Run(const EvalOptions& options, bool logits) {
  GPTOSS_TRY(const Checkpoint checkpoint, OpenSelectedCheckpoint(options.model));
  GPTOSS_TRY(
      const std::unique_ptr<Backend> backend,
      CreateCpuBackend(checkpoint.model,
                       {.threads = options.threads, .precise = options.precise, .kernels = options.kernels}));
  GPTOSS_TRY(const std::vector<Prompt> prompts, ReadPrompts(backend->config(), logits));
  // Written piece by piece: all logits of a long prompt would be gigabytes of text.
  std::cout << (logits ? "{\"logits\":[" : "{\"ids\":[");
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    GPTOSS_TRY(const std::string text, logits ? Logits(*backend, prompts[i]) : Greedy(*backend, prompts[i]));
    std::cout << (i == 0 ? "" : ",") << text;
  }
  std::cout << "]}" << std::endl;
  return {};
}

void AddOne(CLI::App& eval, const char* name, const char* help, bool logits, int& exit_code) {
  CLI::App* command = eval.add_subcommand(name, help);
  auto options = std::make_shared<EvalOptions>();
  AddModelOption(*command, options->model);
  command->add_flag("--precise", options->precise,
                    "float activations and float KV: closest to the true function");
  command->add_option("--threads", options->threads, "compute threads (0: all CPUs)")
      ->check(CLI::Range(0, 1024));
  command->add_option("--kernels", options->kernels,
                      "kernel set: portable, avx2, avx512, neon, neon_dotprod");
  command->callback([options, logits, &exit_code] {
    if (const Status status = Run(*options, logits); !status) {
      Complain(status.error().message);
      exit_code = ExitCode(status.error().code);
    }
  });
}

}  // namespace

void AddEvalCommand(CLI::App& app, int& exit_code) {
  CLI::App* eval =
      app.add_subcommand("eval", "Evaluate a model: logits, greedy continuations, the demo's questions");
  eval->require_subcommand(1);
  AddOne(
      *eval, "logits",
      R"(stdin {"prompts":[{"ids":[…],"positions":[…]}]} -> {"logits":[[[…]…]…]} (prompt, position, vocabulary))",
      true, exit_code);
  AddOne(*eval, "greedy", R"(stdin {"prompts":[{"ids":[…],"n":32}]} -> {"ids":[[…]]})", false, exit_code);
  AddEvalDemoCommand(*eval, exit_code);
}

}  // namespace gptoss::cli
