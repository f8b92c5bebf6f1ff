#include "ceilings.h"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "platform/cpu_features.h"

namespace gptoss::bench {
namespace {

volatile std::uint64_t g_sink = 0;  // keeps the compiler from dropping what is only timed

#if defined(__x86_64__)

__attribute__((target("avx512f,avx512vnni"))) void VnniRounds(std::int64_t rounds) {
  __m512i sums[12];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  __m512i x = _mm512_set1_epi32(static_cast<int>(rounds)), y = _mm512_set1_epi8(3);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, x, y);
  }
  for (const __m512i& sum : sums) x = _mm512_add_epi32(x, sum);
  std::uint64_t words[8];
  _mm512_storeu_si512(words, x);
  g_sink = g_sink + words[0];
}

bool MayUseTiles() {
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Four sums of 16 × 16, two tiles of each operand: the shape of a real kernel without its loads.
template <bool kInt8>
__attribute__((target("amx-tile,amx-int8,amx-bf16"))) void TileRounds(std::int64_t rounds) {
  const TileConfig config;
  // GCC 12 believes that only the first eight bytes are read and drops the other stores.
  __asm__ volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (std::int64_t i = 0; i < rounds; ++i) {
    if constexpr (kInt8) {
      _tile_dpbssd(0, 4, 6);
      _tile_dpbssd(1, 4, 7);
      _tile_dpbssd(2, 5, 6);
      _tile_dpbssd(3, 5, 7);
    } else {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_release();
}
#endif

double Rate(ThreadPool& pool, double operations, const std::function<void()>& piece) {
  const std::int64_t pieces = pool.threads() * 4;
  const double seconds = BestSeconds(3, [&] {
    pool.ParallelFor(pieces, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) piece();
    });
  });
  return static_cast<double>(pieces) * operations / seconds;
}

}  // namespace

double BestSeconds(int rounds, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

double ReadCeiling(ThreadPool& pool, std::span<const std::byte> arena) {
  typedef std::uint64_t U64x4 __attribute__((vector_size(32)));
  const auto bytes = static_cast<std::int64_t>(arena.size());
  const double seconds = BestSeconds(5, [&] {
    pool.ParallelFor(bytes / 4096, 256, [&](std::int64_t begin, std::int64_t end, int) {
      U64x4 sums[4] = {};
      for (const std::byte *p = arena.data() + begin * 4096, *stop = arena.data() + end * 4096; p < stop;
           p += 128) {
        __builtin_prefetch(p + 2048);
        __builtin_prefetch(p + 2112);
        for (int i = 0; i < 4; ++i) {
          U64x4 v;
          __builtin_memcpy(&v, p + 32 * i, 32);
          sums[i] += v;
        }
      }
      const U64x4 sum = sums[0] + sums[1] + sums[2] + sums[3];
      g_sink = g_sink + sum[0] + sum[1] + sum[2] + sum[3];
    });
  });
  return static_cast<double>(bytes) / seconds;
}

MatrixCeilings MeasureMatrixCeilings(ThreadPool& pool) {
  MatrixCeilings c;
#if defined(__x86_64__)
  constexpr std::int64_t kVnni = 2'000'000, kTiles = 1'000'000;
  if (ThisCpu().avx512_vnni) c.vnni_int8 = Rate(pool, 12.0 * 64 * 2 * kVnni, [] { VnniRounds(kVnni); });
  // One product of tiles: 16 × 16 sums over 64 bytes.
  if (ThisCpu().amx_int8 && MayUseTiles())
    c.amx_int8 = Rate(pool, 4.0 * 16 * 16 * 64 * 2 * kTiles, [] { TileRounds<true>(kTiles); });
  if (ThisCpu().amx_bf16 && MayUseTiles())
    c.amx_bf16 = Rate(pool, 4.0 * 16 * 16 * 32 * 2 * kTiles, [] { TileRounds<false>(kTiles); });
#else
  (void)pool;
#endif
  return c;
}

}  // namespace gptoss::bench
