#include "platform/system.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string_view>

#include "platform/memory.h"

namespace gptoss {
namespace {

// First whitespace-separated number after `key` in a "Key:   123 kB" file; 0 when absent.
std::uint64_t FieldOf(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const auto digit = line.find_first_of("0123456789", key.size());
    if (digit == std::string::npos) return 0;
    std::uint64_t value = 0;
    std::from_chars(line.data() + digit, line.data() + line.size(), value);
    return value;
  }
  return 0;
}

// Folder of this process' control group (version 2), "" where there is none.
std::string ControlGroup() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) return "/sys/fs/cgroup" + line.substr(3);
  }
  return {};
}

// CPUs that the group's quota pays for; a large number when there is no quota.
int QuotaCpus() {
  constexpr int kNoQuota = std::numeric_limits<int>::max();
  std::ifstream file(ControlGroup() + "/cpu.max");
  double quota = 0, period = 0;
  if (!(file >> quota >> period) || period <= 0) return kNoQuota;  // "max 100000" fails at the word
  return std::max(1, static_cast<int>(quota / period + 0.999));
}

}  // namespace

MemoryInfo SystemMemory() {
  MemoryInfo info{FieldOf("/proc/meminfo", "MemTotal:") * 1024,
                  FieldOf("/proc/meminfo", "MemAvailable:") * 1024};
  if (const auto group = ControlGroupMemory()) {
    info.total = std::min(info.total, group->limit);
    info.available = std::min(info.available, group->limit - group->used);
  }
  return info;
}

std::uint64_t ResidentMemory() { return FieldOf("/proc/self/status", "VmRSS:") * 1024; }

std::uint64_t PeakResidentMemory() {
  struct rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<std::uint64_t>(usage.ru_maxrss) * 1024 : 0;
}

int UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int allowed = ::sched_getaffinity(0, sizeof set, &set) == 0
                          ? CPU_COUNT(&set)
                          : static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(1, std::min(allowed, QuotaCpus()));
}

bool PinThisThread(int index) {
  // The process' own mask, read once: after pinning, a thread's mask holds one CPU only.
  static const cpu_set_t process_mask = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(::getpid(), sizeof set, &set);
    return set;
  }();
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &process_mask) || index-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one) == 0;
  }
  return false;
}

void NameThisThread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const auto colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
#if defined(__aarch64__)
  return "aarch64";
#else
  return "x86-64";
#endif
}

void AdviseHugePages(void* address, std::uint64_t bytes) {
  constexpr std::uintptr_t kPage = 4096;  // madvise wants a page boundary; larger pages only make it fail
  const auto begin = (reinterpret_cast<std::uintptr_t>(address) + kPage - 1) & ~(kPage - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(address) + bytes;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace gptoss
