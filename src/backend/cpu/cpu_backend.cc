// The CPU behind the seam: sequences and their caches around the forward pass.
#include <fmt/format.h>

#include <map>
#include <new>
#include <utility>

#include "backend/backend.h"
#include "backend/cpu/kv_cache.h"
#include "backend/cpu/transformer.h"
#include "platform/system.h"

namespace gptoss {
namespace {

constexpr std::int64_t kMaxRows = Transformer::kDefaultMaxRows;

KvFormat FormatOf(const CpuBackendOptions& options) {
  if (options.precise) return KvFormat::kF32;
  return options.kv_bits == 8 ? KvFormat::kI8 : KvFormat::kBF16;
}

std::string_view Spelled(KvFormat format) {
  return format == KvFormat::kF32 ? "float" : format == KvFormat::kI8 ? "8-bit" : "bf16";
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(std::shared_ptr<const Model> model, const KernelSet& kernels, int threads,
             const CpuBackendOptions& options)
      : model_(std::move(model)),
        transformer_(model_, kernels, threads, options.precise, kMaxRows),
        kv_format_(FormatOf(options)),
        kv_bound_(options.kv_bound_bytes) {}

  const ModelConfig& config() const override { return model_->config; }
  std::string description() const override {
    return fmt::format("cpu: {}, {} thread{}, {} activations, {} kv", transformer_.kernels().name,
                       transformer_.threads(), transformer_.threads() == 1 ? "" : "s",
                       transformer_.precise() ? "float" : "8-bit", Spelled(kv_format_));
  }
  BackendMemory memory() const override {
    BackendMemory memory{model_->weight_bytes, 0, transformer_.scratch_bytes()};
    for (const auto& [id, cache] : sequences_) memory.kv += cache->bytes();
    return memory;
  }
  std::int64_t max_batch_rows() const override { return kMaxRows; }

  Result<SequenceId> CreateSequence(std::int64_t max_tokens) override {
    if (max_tokens < 1 || max_tokens > config().max_context) {
      return Fail(ErrorCode::kOutOfRange, fmt::format("a context of {} tokens; this model has at most {}",
                                                      max_tokens, config().max_context));
    }
    return Add(std::make_unique<KvCache>(config(), max_tokens, kMaxRows, kv_format_));
  }
  void FreeSequence(SequenceId sequence) override { sequences_.erase(sequence); }
  std::int64_t Length(SequenceId sequence) const override {
    const auto it = sequences_.find(sequence);
    return it == sequences_.end() ? 0 : it->second->length();
  }
  Result<SequenceId> Fork(SequenceId sequence, std::int64_t length) override {
    const auto it = sequences_.find(sequence);
    if (it == sequences_.end()) return Unknown(sequence);
    auto copy = it->second->Clone();
    if (copy == nullptr) return Fail(ErrorCode::kResourceExhausted, "no memory for a copy of the sequence");
    copy->Truncate(length);
    return Add(std::move(copy));
  }
  void MarkBoundary(SequenceId sequence) override {
    if (const auto it = sequences_.find(sequence); it != sequences_.end()) it->second->MarkBoundary();
  }
  std::int64_t Truncate(SequenceId sequence, std::int64_t length) override {
    const auto it = sequences_.find(sequence);
    return it == sequences_.end() ? 0 : it->second->Truncate(length);
  }

  Status Forward(std::span<const BatchRow> rows, std::span<float> logits,
                 const CancelToken& cancel) override {
    if (static_cast<std::int64_t>(rows.size()) > kMaxRows) {
      return Fail(ErrorCode::kOutOfRange,
                  fmt::format("{} rows in one batch; at most {}", rows.size(), kMaxRows));
    }
    std::map<KvCache*, std::int64_t> counts;
    std::vector<ForwardRow> forward;
    std::size_t wanted = 0;
    for (const BatchRow& row : rows) {
      const auto it = sequences_.find(row.sequence);
      if (it == sequences_.end()) return Unknown(row.sequence);
      if (row.token < 0 || row.token >= config().vocab) {
        return Fail(ErrorCode::kOutOfRange,
                    fmt::format("token {} is not in the vocabulary of {}", row.token, config().vocab));
      }
      KvCache* cache = it->second.get();
      forward.push_back({cache, cache->length() + counts[cache]++, row.token, row.wants_logits});
      wanted += row.wants_logits ? 1 : 0;
    }
    if (logits.size() != wanted * static_cast<std::size_t>(config().vocab)) {
      return Fail(ErrorCode::kInvalidArgument, "the space for logits does not fit the rows that want them");
    }
    if (kv_bound_ > 0) GPTOSS_CHECK_OK(CheckBound(counts));
    for (const auto& [cache, count] : counts) GPTOSS_CHECK_OK(cache->Reserve(count));
    // Rings are written before the length moves; what that overwrites is older than any window, so a failed
    // or cancelled batch leaves the sequence as it was.
    for (const auto& [cache, count] : counts) cache->NoteWritten(count);
    GPTOSS_CHECK_OK(transformer_.Forward(forward, logits, cancel));
    for (const auto& [cache, count] : counts) cache->Advance(count);
    return {};
  }

 private:
  Result<SequenceId> Add(std::unique_ptr<KvCache> cache) {
    sequences_.emplace(next_, std::move(cache));
    return next_++;
  }
  Status CheckBound(const std::map<KvCache*, std::int64_t>& counts) const {
    std::uint64_t more = 0;
    for (const auto& [cache, count] : counts) more += cache->BytesToReserve(count);
    if (more == 0) return {};
    const std::uint64_t kv = memory().kv;
    if (kv + more <= kv_bound_) return {};
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("the contexts of all conversations together may take {} MB and {} MB are in use",
                            kv_bound_ >> 20, kv >> 20));
  }
  static std::unexpected<Error> Unknown(SequenceId sequence) {
    return Fail(ErrorCode::kNotFound, fmt::format("no sequence {}", sequence));
  }

  std::shared_ptr<const Model> model_;
  Transformer transformer_;
  std::map<SequenceId, std::unique_ptr<KvCache>> sequences_;
  SequenceId next_ = 1;
  const KvFormat kv_format_;
  const std::uint64_t kv_bound_;
};

}  // namespace

BackendMemory EstimateCpuMemory(const Model& model, const CpuBackendOptions& options,
                                std::int64_t context_tokens, std::int64_t sequences) {
  const int threads = options.threads == 0 ? UsableCpus() : options.threads;
  const std::uint64_t cache = KvCache::FullBytes(model.config, context_tokens, kMaxRows, FormatOf(options));
  return {.weights = model.weight_bytes,
          .kv = cache * static_cast<std::uint64_t>(sequences),
          .scratch = Transformer::ScratchBytes(model.config, threads, options.precise, kMaxRows)};
}

Result<std::unique_ptr<Backend>> CreateCpuBackend(std::shared_ptr<const Model> model,
                                                  const CpuBackendOptions& options) {
  const KernelSet* kernels = options.kernels.empty() ? UsableKernels().back() : FindKernels(options.kernels);
  if (kernels == nullptr) {
    std::string names;
    for (const KernelSet* set : UsableKernels())
      names += (names.empty() ? "" : ", ") + std::string(set->name);
    return Fail(ErrorCode::kUnsupported,
                fmt::format("kernels \"{}\" cannot run on this CPU; there are: {}", options.kernels, names));
  }
  if (options.threads < 0 || options.threads > 1024) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} threads; expected 0 (all CPUs) to 1024", options.threads));
  }
  if (options.kv_bits != 8 && options.kv_bits != 16) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} bits for keys and values; expected 8 or 16", options.kv_bits));
  }
  const int threads = options.threads == 0 ? UsableCpus() : options.threads;
  try {
    return std::make_unique<CpuBackend>(std::move(model), *kernels, threads, options);
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted, "no memory for the working buffers");
  }
}

}  // namespace gptoss
