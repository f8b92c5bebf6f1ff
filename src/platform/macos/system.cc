#include "platform/system.h"

#include <mach/mach.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/sysctl.h>

#include <algorithm>
#include <array>

namespace gptoss {
namespace {

std::uint64_t SysctlNumber(const char* name) {
  std::uint64_t value = 0;
  std::size_t size = sizeof value;
  return ::sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

MemoryInfo SystemMemory() {
  MemoryInfo info{SysctlNumber("hw.memsize"), 0};
  vm_statistics64_data_t statistics{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  const host_t host = ::mach_host_self();
  if (::host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&statistics), &count) ==
      KERN_SUCCESS) {
    const std::uint64_t pages =
        std::uint64_t{statistics.free_count} + statistics.inactive_count + statistics.purgeable_count;
    info.available = pages * static_cast<std::uint64_t>(vm_kernel_page_size);
  }
  ::mach_port_deallocate(::mach_task_self(), host);
  return info;
}

std::uint64_t ResidentMemory() {
  mach_task_basic_info_data_t info{};
  mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
  const kern_return_t got =
      ::task_info(::mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info), &count);
  return got == KERN_SUCCESS ? info.resident_size : 0;
}

std::uint64_t PeakResidentMemory() {
  struct rusage usage{};
  // Bytes here, unlike Linux' kilobytes.
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<std::uint64_t>(usage.ru_maxrss) : 0;
}

int UsableCpus() {
  // Performance cores only: a static split of work waits for the slowest, and efficiency cores are slower.
  int cpus = 0;
  std::size_t size = sizeof cpus;
  if (::sysctlbyname("hw.perflevel0.logicalcpu", &cpus, &size, nullptr, 0) != 0 || cpus < 1) {
    size = sizeof cpus;
    if (::sysctlbyname("hw.logicalcpu", &cpus, &size, nullptr, 0) != 0) cpus = 1;
  }
  return std::max(1, cpus);
}

bool PinThisThread(int) {
  // No affinity on Apple silicon; the quality-of-service class keeps compute threads on performance cores.
  ::pthread_set_qos_class_self_np(QOS_CLASS_USER_INITIATED, 0);
  return false;
}

void NameThisThread(const char* name) { ::pthread_setname_np(name); }

std::string CpuName() {
  std::array<char, 128> text{};
  std::size_t size = text.size() - 1;
  if (::sysctlbyname("machdep.cpu.brand_string", text.data(), &size, nullptr, 0) != 0) return "arm64";
  return text.data();
}

void AdviseHugePages(void*, std::uint64_t) {}  // 16 KiB pages, no such advice

}  // namespace gptoss
