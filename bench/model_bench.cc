// A whole model against the ceilings of the machine, measured in the same run: load, first token, prefill,
// decode, memory. `model_bench --help` tells the arguments; see README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/json.h"
#include "ceilings.h"
#include "model/checkpoint.h"
#include "platform/cpu_features.h"
#include "platform/system.h"

namespace gptoss::bench {
namespace {

struct Options {
  std::string model, kernels;
  std::vector<std::int64_t> prefill = {512}, decode = {64};
  std::int64_t depth = 0, ceiling_mb = 1024;
  int repetitions = 3, threads = 0;
  bool precise = false, json = false;
};

double Seconds(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

// Matrix weights only: what a token reads and multiplies.
struct Work {
  double bytes_per_token = 0, kv_bytes_per_position = 0;
  double flop_per_prompt_token = 0;  // without the unembedding, as a prompt needs it once
};

double MatrixBytes(const MatrixView& m) {
  const std::int64_t scales = m.format == WeightFormat::kMxfp4Split ? m.cols / 32
                              : m.format == WeightFormat::kAffine8  ? m.cols / 64 * 4
                                                                    : 0;
  return static_cast<double>(m.rows * (RowBytes(m.format, m.cols) + scales));
}
double Weights(const MatrixView& m) { return static_cast<double>(m.rows * m.cols); }

Work WorkOf(const Model& model) {
  Work w;
  const ModelConfig& c = model.config;
  double weights = 0;
  for (const LayerWeights& l : model.layers) {
    for (const MatrixView* m : {&l.q, &l.k, &l.v, &l.o, &l.router})
      w.bytes_per_token += MatrixBytes(*m), weights += Weights(*m);
    for (const ExpertMatrices* m : {&l.gate, &l.up, &l.down}) {
      const auto active = static_cast<double>(c.experts_per_token);
      w.bytes_per_token += active * MatrixBytes(m->first), weights += active * Weights(m->first);
    }
  }
  w.bytes_per_token += MatrixBytes(model.unembedding);
  w.flop_per_prompt_token = 2 * weights;
  const auto full = static_cast<double>(std::ranges::count(c.layer_types, LayerType::kFull));
  w.kv_bytes_per_position = full * static_cast<double>(c.kv_heads * c.head_dim * 2 * 2);
  return w;
}

// Token ids that look like nothing in particular; the same in every run.
std::int32_t TokenAt(std::int64_t position, std::int64_t vocab) {
  const std::uint64_t mixed = (static_cast<std::uint64_t>(position) + 1) * 0x9e3779b97f4a7c15;
  return static_cast<std::int32_t>((mixed >> 33) % static_cast<std::uint64_t>(vocab));
}

// Feeds `count` tokens in chunks as large as the backend takes; logits of the last one.
Status Prefill(Backend& backend, SequenceId sequence, std::int64_t count, std::vector<float>& logits) {
  const std::int64_t vocab = backend.config().vocab;
  for (std::int64_t at = 0; at < count;) {
    const std::int64_t end = std::min(count, at + backend.max_batch_rows());
    std::vector<BatchRow> rows;
    for (std::int64_t i = at; i < end; ++i)
      rows.push_back({sequence, TokenAt(backend.Length(sequence) + i - at, vocab), i == count - 1});
    logits.resize(static_cast<std::size_t>(end == count ? vocab : 0));
    GPTOSS_CHECK_OK(backend.Forward(rows, logits, {}));
    at = end;
  }
  return {};
}

struct Run {
  std::string name;
  std::vector<double> seconds;
  std::int64_t tokens = 0;
  double best() const { return static_cast<double>(tokens) / *std::ranges::min_element(seconds); }
  double median() const {
    std::vector<double> sorted = seconds;
    std::ranges::sort(sorted);
    return static_cast<double>(tokens) / sorted[sorted.size() / 2];
  }
};

class Bench {
 public:
  Bench(const Options& options, const Model& model, Backend& backend)
      : o_(options), backend_(backend), work_(WorkOf(model)) {}

  Result<Run> TimePrefill(std::int64_t count) {
    Run run{.name = fmt::format("prefill {}", count), .tokens = count};
    for (int i = 0; i < o_.repetitions; ++i) {
      GPTOSS_TRY(const SequenceId sequence, Begin(count));
      const auto start = std::chrono::steady_clock::now();
      GPTOSS_CHECK_OK(Prefill(backend_, sequence, count, logits_));
      run.seconds.push_back(Seconds(start));
      backend_.FreeSequence(sequence);
    }
    return run;
  }

  // Greedy, so that a token depends on the one before as in use.
  Result<Run> TimeDecode(std::int64_t count) {
    Run run{.name = fmt::format("decode {}", count), .tokens = count};
    for (int i = 0; i < o_.repetitions; ++i) {
      GPTOSS_TRY(const SequenceId sequence, Begin(count + 1));
      GPTOSS_CHECK_OK(Prefill(backend_, sequence, 1, logits_));
      const auto start = std::chrono::steady_clock::now();
      for (std::int64_t t = 0; t < count; ++t) {
        const auto best = std::ranges::max_element(logits_) - logits_.begin();
        const BatchRow row{sequence, static_cast<std::int32_t>(best), true};
        GPTOSS_CHECK_OK(backend_.Forward({&row, 1}, logits_, {}));
      }
      run.seconds.push_back(Seconds(start));
      backend_.FreeSequence(sequence);
    }
    return run;
  }

  // A token's weights and the keys and values in the middle of the run.
  double BytesPerToken(std::int64_t decoded) const {
    return work_.bytes_per_token +
           work_.kv_bytes_per_position * (static_cast<double>(o_.depth) + static_cast<double>(decoded) / 2);
  }
  const Work& work() const { return work_; }

 private:
  Result<SequenceId> Begin(std::int64_t tokens) {
    GPTOSS_TRY(const SequenceId sequence, backend_.CreateSequence(o_.depth + tokens));
    if (o_.depth > 0) GPTOSS_CHECK_OK(Prefill(backend_, sequence, o_.depth, logits_));
    return sequence;
  }

  const Options& o_;
  Backend& backend_;
  Work work_;
  std::vector<float> logits_;
};

struct Ceilings {
  double read = 0;
  MatrixCeilings matrix;
  double prefill() const { return std::max({matrix.vnni_int8, matrix.amx_bf16, matrix.amx_int8 / 2}); }
};

Ceilings Measure(int threads, std::int64_t megabytes) {
  ThreadPool pool(threads);
  std::vector<std::byte> arena(static_cast<std::size_t>(megabytes) << 20, std::byte{1});
  return {ReadCeiling(pool, arena), MeasureMatrixCeilings(pool)};
}

Json Row(const Bench& bench, const Run& run, bool decode, const Ceilings& c) {
  Json row = {{"name", run.name}, {"tokens_per_s", run.best()}, {"median_tokens_per_s", run.median()}};
  if (decode) {
    const double bytes = bench.BytesPerToken(run.tokens);
    row["bytes_per_token"] = bytes;
    row["bytes_per_s"] = bytes * run.best();
    row["of_ceiling"] = bytes * run.best() / c.read;
  } else {
    const double rate = bench.work().flop_per_prompt_token * run.best();
    row["op_per_token"] = bench.work().flop_per_prompt_token;
    row["op_per_s"] = rate;
    if (c.prefill() > 0) row["of_ceiling"] = rate / c.prefill();
  }
  return row;
}

std::string Line(const Json& row) {
  const bool decode = row.contains("bytes_per_s");
  return fmt::format(
      "{:<14} {:>9.2f} {:>9.2f}   {:>7.2f} {:<7} {}\n", row["name"].get<std::string>(),
      row["tokens_per_s"].get<double>(), row["median_tokens_per_s"].get<double>(),
      decode ? row["bytes_per_s"].get<double>() / 1e9 : row["op_per_s"].get<double>() / 1e9,
      decode ? "GB/s" : "GOP/s",
      row.contains("of_ceiling") ? fmt::format("{:.1f} %", 100 * row["of_ceiling"].get<double>()) : "-");
}

Status Main(const Options& o) {
  const int threads = o.threads == 0 ? UsableCpus() : o.threads;
  const Ceilings ceilings = Measure(threads, o.ceiling_mb);
  const std::uint64_t before = ResidentMemory();
  const auto start = std::chrono::steady_clock::now();
  GPTOSS_TRY(const Checkpoint checkpoint, OpenCheckpoint(o.model));
  GPTOSS_TRY(
      const std::unique_ptr<Backend> backend,
      CreateCpuBackend(checkpoint.model, {.threads = o.threads, .precise = o.precise, .kernels = o.kernels}));
  const double load = Seconds(start);
  std::vector<float> logits;
  GPTOSS_TRY(const SequenceId first, backend->CreateSequence(64));
  GPTOSS_CHECK_OK(Prefill(*backend, first, 1, logits));
  const double first_token = Seconds(start);
  backend->FreeSequence(first);
  Bench bench(o, *checkpoint.model, *backend);
  if (!o.json) {
    fmt::print("{}, {} threads; {}\n", CpuName(), threads, DescribeFeatures(ThisCpu()));
    fmt::print(
        "ceilings: read {:.1f} GB/s, VNNI int8 {:.0f} GOP/s, AMX int8 {:.0f} GOP/s, AMX BF16 {:.0f} "
        "GFLOP/s\n",
        ceilings.read / 1e9, ceilings.matrix.vnni_int8 / 1e9, ceilings.matrix.amx_int8 / 1e9,
        ceilings.matrix.amx_bf16 / 1e9);
    fmt::print("{}: {}, {:.2f} GB of weights\n{}\n", o.model, checkpoint.model->layout,
               static_cast<double>(checkpoint.model->weight_bytes) / 1e9, backend->description());
    fmt::print("open {:.2f} s, first token of a prompt of one after {:.2f} s\n\n", load, first_token);
    fmt::print("{:<14} {:>9} {:>9}   {:>7} {:<7} {}\n", "", "tok/s", "median", "rate", "", "of ceiling");
    std::fflush(stdout);
  }
  Json rows = Json::array();
  const auto report = [&](const Run& run, bool decode) {
    rows.push_back(Row(bench, run, decode, ceilings));
    if (!o.json) fmt::print("{}", Line(rows.back()));
    std::fflush(stdout);
  };
  for (const std::int64_t count : o.prefill) {
    if (count <= 0) continue;
    GPTOSS_TRY(const Run run, bench.TimePrefill(count));
    report(run, false);
  }
  for (const std::int64_t count : o.decode) {
    if (count <= 0) continue;
    GPTOSS_TRY(const Run run, bench.TimeDecode(count));
    report(run, true);
  }
  const BackendMemory memory = backend->memory();
  const std::uint64_t resident = ResidentMemory();
  const Json result = {
      {"cpu", CpuName()},
      {"features", DescribeFeatures(ThisCpu())},
      {"threads", threads},
      {"backend", backend->description()},
      {"model", o.model},
      {"layout", checkpoint.model->layout},
      {"depth", o.depth},
      {"ceilings",
       {{"read_bytes_per_s", ceilings.read},
        {"vnni_int8_op_per_s", ceilings.matrix.vnni_int8},
        {"amx_int8_op_per_s", ceilings.matrix.amx_int8},
        {"amx_bf16_op_per_s", ceilings.matrix.amx_bf16}}},
      {"open_s", load},
      {"first_token_s", first_token},
      {"memory",
       {{"weights", memory.weights},
        {"scratch", memory.scratch},
        {"resident_before", before},
        {"resident", resident},
        {"beyond_weights", static_cast<std::int64_t>(resident) - static_cast<std::int64_t>(memory.weights)}}},
      {"runs", std::move(rows)}};
  if (!o.json) {
    fmt::print("\nresident {:.0f} MB: {:+.0f} MB beyond the weights (mapped pages count once read)\n",
               static_cast<double>(resident) / 1e6,
               (static_cast<double>(resident) - static_cast<double>(memory.weights)) / 1e6);
  }
  fmt::print("{}\n", DumpJson(result));
  return {};
}

int Start(int argc, char** argv) {
  CLI::App app("times a checkpoint against the ceilings of this machine");
  Options o;
  app.add_option("-m,--model", o.model, "checkpoint: a folder or a .gguf")->required();
  app.add_option("-p,--prefill", o.prefill, "prompt lengths, 0 for none")->delimiter(',');
  app.add_option("-n,--decode", o.decode, "tokens to decode, 0 for none")->delimiter(',');
  app.add_option("-d,--depth", o.depth, "tokens that are in the context before the clock starts");
  app.add_option("-r,--repetitions", o.repetitions, "the best one counts")->check(CLI::Range(1, 1000));
  app.add_option("-t,--threads", o.threads, "0: all CPUs")->check(CLI::Range(0, 1024));
  app.add_option("--kernels", o.kernels, "a kernel set by name");
  app.add_option("--ceiling-mb", o.ceiling_mb, "memory to read for the read ceiling")
      ->check(CLI::Range(16, 1 << 20));
  app.add_flag("--precise", o.precise, "float activations and float KV");
  app.add_flag("--json", o.json, "no table, only the line of JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (const Status status = Main(o); !status) {
    std::cerr << "model_bench: error: " << status.error().message << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace gptoss::bench

int main(int argc, char** argv) { return gptoss::bench::Start(argc, argv); }
