// What this machine can do at best, measured: the denominators of every benchmark here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "backend/cpu/thread_pool.h"

namespace gptoss::bench {

// The shortest of `rounds` runs.
double BestSeconds(int rounds, const std::function<void()>& work);

// Bytes per second of reading `arena` (far larger than the caches) on all threads.
double ReadCeiling(ThreadPool& pool, std::span<const std::byte> arena);

// Operations (two per product) per second on all threads, operands in registers; 0 where this CPU lacks the
// instructions or the system does not let a program use them.
struct MatrixCeilings {
  double vnni_int8 = 0, amx_int8 = 0, amx_bf16 = 0;
};
MatrixCeilings MeasureMatrixCeilings(ThreadPool& pool);

}  // namespace gptoss::bench
